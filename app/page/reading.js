// All digits of a picture, line by line, for whom its answer says that there are several.

import { askAbout, UNREACHABLE } from "./asking.js";
import { placeBoxes } from "./sheet.js";

const element = (id) => document.getElementById(id);
const button = element("read-all");
const found = element("all-digits");
let asked = 0; // what comes after something else is shown is of another picture

export function forgetReading() {
  asked += 1;
  button.hidden = found.hidden = true;
}

// To be called with each answer: its `warnings`, and what gives its picture as a Blob, or a promise of one.
export function offerReading(warnings, makePicture) {
  button.hidden = !warnings.some((each) => each.includes("/read"));
  button.disabled = false;
  button.onclick = () => readAll(makePicture);
}

async function readAll(makePicture) {
  const mine = asked;
  button.disabled = true;
  const { text, digits, picture } = await read(makePicture);
  if (mine !== asked) return;
  button.disabled = false;
  found.textContent = text;
  found.hidden = false;
  if (digits) placeBoxes(digits.map((digit) => digit.box), picture);
}

// The answer, or in place of its text the reason why there is none.
async function read(makePicture) {
  try {
    const response = await askAbout("read", await makePicture());
    const document = await response.json();
    return response.ok ? document : { text: document.detail };
  } catch {
    return { text: `${UNREACHABLE.title}.` };
  }
}
