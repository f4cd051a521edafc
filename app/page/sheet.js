// What lies on the sheet: nothing but a hint, a drawing, or a photo with boxes round what was read.

const element = (id) => document.getElementById(id);
const SMALL = 96; // pixels: smaller pictures are enlarged, each pixel a square

let address = null; // of the photo in the page's memory

export function showSheet(strokes, photo) {
  element("hint").hidden = strokes.length > 0 || photo !== null;
  element("photo").hidden = photo === null;
}

export function showPhoto(photo) {
  const image = element("photo-image");
  if (address) URL.revokeObjectURL(address);
  address = photo && URL.createObjectURL(photo);
  element("photo-boxes").replaceChildren();
  element("photo-unshown").hidden = true;
  image.parentElement.hidden = !photo;
  if (!photo) {
    image.removeAttribute("src");
    return;
  }
  image.onload = () => image.classList.toggle("small", image.naturalWidth <= SMALL);
  image.onerror = () => {
    // HEIC, say, or no picture at all: then the answer says what it is
    image.parentElement.hidden = true;
    element("photo-unshown").hidden = false;
  };
  image.alt = `Your picture ${photo.name ?? ""}`.trim();
  image.src = address;
}

// Each box is left, top, right, bottom in pixels of the upright picture, which is `width` by `height`.
export function placeBoxes(boxes, { width, height }) {
  element("photo-boxes").replaceChildren(...boxes.map((box) => markOf(box, width, height)));
}

function markOf([left, top, right, bottom], width, height) {
  const mark = document.createElement("div");
  mark.className = "box";
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  mark.style.left = percent(left, width);
  mark.style.top = percent(top, height);
  mark.style.width = percent(right - left, width);
  mark.style.height = percent(bottom - top, height);
  return mark;
}
