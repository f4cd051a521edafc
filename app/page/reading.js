// All digits of a picture, line by line, for whom its answer says that there are several.

import { ask } from "./key.js";

const PATIENCE_MS = 60_000;
const element = (id) => document.getElementById(id);
const button = element("read-all");
const found = element("all-digits");
let asked = 0; // what is answered after the next answer of the page is of another picture

// To be called with each answer: its `warnings`, and what gives its picture as a Blob, or a promise of one.
export function offerReading(warnings, makePicture) {
  asked += 1;
  found.hidden = true;
  button.disabled = false;
  button.hidden = !warnings.some((each) => each.includes("/read"));
  button.onclick = () => readAll(makePicture);
}

async function readAll(makePicture) {
  const mine = asked;
  button.disabled = true;
  const said = await read(makePicture);
  if (mine !== asked) return;
  button.disabled = false;
  found.textContent = said;
  found.hidden = false;
}

async function read(makePicture) {
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await ask("read", { method: "POST", headers, body: await makePicture() }, PATIENCE_MS);
    const document = await response.json();
    return response.ok ? document.text : document.detail;
  } catch {
    return "The service can’t be reached.";
  }
}
