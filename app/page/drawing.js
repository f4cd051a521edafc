// Strokes: taken from mouse, finger or pen, painted on the sheet, and turned into a picture to send.
//
// A stroke is a list of points [x, y] in 0..1 of the sheet, so that it is the same on every screen.

const WIDTH = 0.075; // of the sheet's side: drawn large, this is as bold as MNIST's strokes
const SIDE = 280; // pixels of the picture that is sent: ten times what the network sees, and some 3 kB

// Calls `drawing(stroke)` while a stroke grows, once a frame at most, and `drawn(stroke)` when it ends.
export function drawOn(canvas, { drawing, drawn }) {
  let pointer = null; // the one that draws; a palm beside the pen is not it
  let stroke = [];
  let frame = 0;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    stroke = [place(event)];
    drawing(stroke);
  });

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    stroke.push(...(between.length ? between : [event]).map(place));
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      drawing(stroke);
    });
  });

  const end = (event) => {
    if (event.pointerId !== pointer) return;
    cancelAnimationFrame(frame);
    frame = 0;
    pointer = null;
    drawn(stroke);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}

// Paints the strokes on the sheet, as sharp as the screen is, in the page's ink.
export function paint(canvas, strokes) {
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  trace(context, strokes, side, getComputedStyle(canvas).color);
}

// Dark ink on white paper, whatever the page's colours: a promise of a PNG.
export function toPng(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  trace(context, strokes, SIDE, "#000");
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function trace(context, strokes, side, colour) {
  context.strokeStyle = colour;
  context.lineWidth = WIDTH * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
    context.beginPath();
    context.moveTo(...points[0]);
    // curves from middle to middle, with the points to bend them: no corners where the mouse was slow to report
    for (let i = 1; i < points.length - 1; i++) context.quadraticCurveTo(...points[i], ...middle(points[i], points[i + 1]));
    const [x, y] = points.at(-1);
    context.lineTo(x, points.length > 1 ? y : y + 0.01); // a line of no length would leave no dot
    context.stroke();
  }
}

const middle = ([x, y], [u, v]) => [(x + u) / 2, (y + v) / 2];
