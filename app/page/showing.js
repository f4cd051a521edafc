// The answer: a numeral, a sentence, bars, the picture that the network saw and what decided; or a problem.

import { ask, hasKey } from "./key.js";
import { forgetReading } from "./reading.js";
import { percent, preparation, sentence, word } from "./words.js";

const element = (id) => document.getElementById(id);
const answerPart = element("answer");
const SETTLED_MS = 600; // a screen reader hears the answer when it stays, and not each that passes by
const BUSY_MS = 400; // what is answered sooner needs no word that it is being read

let labels = [..."0123456789"];
let model = null;
let settling = 0;
let busy = 0;

export function showBlank() {
  show("blank", "", "Nothing drawn yet", "The answer appears here as you draw.");
  announce("");
  fillBars([]);
}

export function showProblem({ title, detail }) {
  show("problem", "", title, detail);
  announce(`${title}. ${detail}`);
  fillBars([]);
}

export function showBusy(isBusy, isNew) {
  clearTimeout(busy);
  answerPart.setAttribute("aria-busy", isBusy);
  if (!isBusy) return;
  if (isNew) busy = setTimeout(showReading, BUSY_MS);
}

function showReading() {
  show("blank", "", "Reading …", "");
  announce("");
  fillBars([]);
}

export function showAnswer(answer) {
  show("answer", answer.label, sentence(answer), "");
  // for some there is a button here, and no need to know its path
  const warnings = answer.picture.warnings.map((text) => text.replace(/ POST \S+ .*/, ""));
  announce(`${sentence(answer)}. ${warnings.join(" ")}`.trim());
  labels[answer.digit] = answer.label;
  fillBars(answer.probabilities, answer.digit);
  showWarnings(warnings);
  showReasons(answer);
  if (model?.name !== answer.model.name || model?.version !== answer.model.version) showModel();
}

// The model's name, and the names of its classes: of some, those are not digits.
export async function showModel() {
  try {
    const response = await ask("model");
    if (!response.ok) return; // not loaded yet: the first answer asks again
    model = await response.json();
    labels = model.labels;
    element("model").textContent = `Model ${model.name}, version ${model.version}`;
    element("report").hidden = !model.report;
    for (const [i, label] of labels.entries()) element("bars").children[i].firstChild.textContent = label;
  } catch {
    // the service is away; whoever draws is told so
  }
}

// A link can't show a key. The report is whole, so it can be read as a file.
element("report").addEventListener("click", async (event) => {
  if (!hasKey()) return;
  event.preventDefault();
  const response = await ask("model/report");
  if (!response.ok) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `${model.name}-${model.version}.html`;
  link.click();
  URL.revokeObjectURL(link.href);
});

function show(state, numeral, text, detail) {
  answerPart.dataset.state = state;
  element("numeral").textContent = numeral;
  element("numeral").classList.toggle("word", numeral.length > 2);
  element("sentence").textContent = text;
  element("detail").textContent = detail;
  element("warnings").hidden = true;
  forgetReading();
  element("reasons").hidden = state !== "answer";
}

function announce(text) {
  clearTimeout(settling);
  settling = setTimeout(() => {
    element("status").textContent = text;
  }, SETTLED_MS);
}

function fillBars(probabilities, best) {
  for (const [i, row] of [...element("bars").children].entries()) {
    const [label, track, share] = row.children;
    label.textContent = labels[i];
    track.firstChild.style.width = `${100 * (probabilities[i] ?? 0)}%`;
    share.textContent = probabilities.length ? percent(probabilities[i]) : "";
    row.classList.toggle("best", i === best);
  }
}

function showWarnings(warnings) {
  element("warnings").replaceChildren(...warnings.map((text) => make("li", "", text)));
  element("warnings").hidden = warnings.length === 0;
}

function showReasons({ digit, label, picture, importances }) {
  const seen = element("seen");
  seen.src = `data:image/png;base64,${picture.preview}`;
  element("preparation").textContent = preparation(picture);
  element("why").hidden = !importances;
  if (!importances) return;
  for (const each of document.querySelectorAll(".legend .digit")) each.textContent = label;
  element("heat").setAttribute("aria-label", `Which pixels spoke for and against ${word(digit, label)}`);
  paintHeat(importances, seen);
}

// Each pixel in the colour of its side, the stronger the more it mattered; ink that didn't matter in grey.
async function paintHeat(importances, seen) {
  const canvas = element("heat");
  const context = canvas.getContext("2d");
  const strongest = Math.max(...importances.flat().map(Math.abs), 1e-9);
  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
  const [pro, con, neither] = ["--for", "--against", "--neither"].map(colour);
  const ink = await inkOf(seen);
  if (ink === null) return; // a later picture is there already
  context.clearRect(0, 0, 28, 28);
  const fill = (x, y, colour, strength) => {
    context.globalAlpha = strength;
    context.fillStyle = colour;
    context.fillRect(x, y, 1, 1);
  };
  for (const [y, row] of importances.entries()) {
    for (const [x, importance] of row.entries()) {
      fill(x, y, neither, 0.35 * ink[28 * y + x]);
      // the root shows what matters little, too
      fill(x, y, importance > 0 ? pro : con, Math.sqrt(Math.abs(importance) / strongest));
    }
  }
}

// How white each of the 28x28 pixels is that the network saw: 0..1, row by row. Null, when it has been replaced.
async function inkOf(seen) {
  const source = seen.src;
  await seen.decode().catch(() => null);
  if (seen.src !== source) return null;
  const context = new OffscreenCanvas(28, 28).getContext("2d");
  context.drawImage(seen, 0, 0);
  const rgba = context.getImageData(0, 0, 28, 28).data;
  return Array.from({ length: 784 }, (_, i) => rgba[4 * i] / 255);
}

function make(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

for (const label of labels) {
  const row = make("li");
  const track = make("span", "track");
  track.append(make("span", "fill"));
  row.append(make("span", "label", label), track, make("span", "share"));
  element("bars").append(row);
}
