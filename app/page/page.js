// The page: what is on the sheet is asked about, and what is answered is shown.

import { Asking } from "./asking.js";
import { drawOn, paint, toPng } from "./drawing.js";
import { History } from "./history.js";
import { allowQuestion } from "./key.js";
import { watchForPictures } from "./pictures.js";
import { offerReading } from "./reading.js";
import { showAnswer, showBlank, showBusy, showModel, showProblem } from "./showing.js";
import { placeBoxes, showPhoto, showSheet } from "./sheet.js";
import { offerCurl } from "./curl.js";

const element = (id) => document.getElementById(id);
const canvas = element("drawing");

const asking = new Asking({
  answered(answer) {
    showAnswer(answer);
    placeBoxes(answer.picture.box ? [answer.picture.box] : [], answer.picture);
    offerReading(answer.picture.warnings, () => history.now.photo ?? toPng(history.now.strokes));
  },
  refused: showProblem,
  waiting: showBusy,
});

// What is on the sheet: the strokes of a drawing, or a photo, or nothing.
const history = new History({ strokes: [], photo: null }, ({ strokes, photo }) => {
  showSheet(strokes, photo);
  paint(canvas, strokes);
  showPhoto(photo);
  offerCurl(strokes, photo);
  element("undo").disabled = !history.canUndo;
  element("clear").disabled = isBlank();
  ask(strokes, photo);
});

const isBlank = () => !history.now.photo && history.now.strokes.length === 0;

function ask(strokes, photo) {
  if (photo) asking.ask(photo, () => photo);
  else if (strokes.length) asking.ask("drawing", () => toPng(strokes));
  else {
    asking.forget();
    showBlank();
  }
}

const undo = () => history.undo();
const clear = () => isBlank() || history.add({ strokes: [], photo: null });

drawOn(canvas, {
  drawing(stroke) {
    const strokes = [...history.now.strokes, stroke];
    showSheet(strokes, null);
    paint(canvas, strokes);
    ask(strokes, null);
  },
  drawn: (stroke) => history.add({ strokes: [...history.now.strokes, stroke], photo: null }),
});
new ResizeObserver(() => paint(canvas, history.now.strokes)).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(canvas, history.now.strokes));

watchForPictures(element("sheet"), (photo) => history.add({ strokes: [], photo }));
element("take").hidden = navigator.maxTouchPoints === 0; // elsewhere it would only be a second way to choose a file
for (const kind of ["choose", "take"]) {
  const input = element(`${kind}-file`);
  element(kind).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) history.add({ strokes: [], photo: input.files[0] });
    input.value = ""; // so that the same file can be chosen again
  });
}

element("enter-key").addEventListener("click", () => {
  allowQuestion();
  history.show();
  showModel();
});
element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", clear);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return; // its keys are its own
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") undo();
  else if (event.key === "Escape" || event.key === "Delete") clear();
  else return;
  event.preventDefault();
});

history.show();
showModel();
