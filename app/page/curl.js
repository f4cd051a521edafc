// The same question as a line for the terminal, and the drawing as the file that it names.

import { toPng } from "./drawing.js";
import { hasKey } from "./key.js";

const element = (id) => document.getElementById(id);
const quoted = (name) => (/^[\w.+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

export function offerCurl(strokes, photo) {
  const name = photo?.name ?? "digit.png";
  const url = new URL("predict", document.baseURI).href;
  const key = hasKey() ? '-H "X-API-Key: $DIGITS_API_KEY" ' : "";
  element("curl").textContent = `curl ${key}-F file=@${quoted(name)} ${url}`;
  element("copy").textContent = "Copy";
  element("save").hidden = strokes.length === 0;
  element("save").onclick = (event) => save(event, strokes);
}

async function save(event, strokes) {
  const link = event.currentTarget;
  if (link.href) return; // made below, this is the click on it
  event.preventDefault();
  link.href = URL.createObjectURL(await toPng(strokes));
  link.click();
  URL.revokeObjectURL(link.href);
  link.removeAttribute("href");
}

element("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(element("curl").textContent);
    element("copy").textContent = "Copied";
  } catch {
    // plain http from elsewhere: the browser keeps the clipboard to itself, and the line is marked for Ctrl+C
    getSelection().selectAllChildren(element("curl"));
    element("copy").textContent = "Press Ctrl+C";
  }
});
