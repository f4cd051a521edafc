// The service's key, where it wants one: asked for once, kept as long as this tab is open, and sent with each request.

const NAME = "digits-key";
const KNOWN = "known"; // how the dialog ends when it was given a key that is right
const element = (id) => document.getElementById(id);
const dialog = element("key-dialog");

let key = kept();
let question = null; // whoever meets a 401 while the dialog is open waits for the same answer
let declined = false; // who closes the dialog isn't asked again until he wants to be

// As fetch, with the key. `patienceMs`: for one try; whoever looks for his key is not hurried.
export async function ask(path, options = {}, patienceMs = 60_000) {
  for (;;) {
    const shown = key;
    const response = await send(path, options, shown, patienceMs);
    if (response.status !== 401) return response;
    if (key !== shown) continue; // typed meanwhile
    if (declined || !(await (question ??= askPerson()))) return response;
  }
}

export const hasKey = () => key !== null;

// Whoever has closed the dialog wants to see it again.
export function allowQuestion() {
  declined = false;
}

function send(path, options, shown, patienceMs) {
  const headers = shown === null ? options.headers : { ...options.headers, "X-API-Key": shown };
  return fetch(path, { ...options, headers, signal: AbortSignal.timeout(patienceMs) });
}

// Whether there is a new key now.
async function askPerson() {
  say(key === null ? "" : "The key of this tab is no longer right.");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  question = null;
  declined = dialog.returnValue !== KNOWN;
  element("enter-key").hidden = !declined;
  return !declined;
}

element("key-later").addEventListener("click", () => dialog.close());
element("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = element("key");
  const typed = input.value.trim();
  say("");
  const problem = await problemOf(typed);
  if (problem) {
    input.select();
    return say(problem);
  }
  keep(typed);
  input.value = "";
  dialog.close(KNOWN);
});

async function problemOf(typed) {
  if (!/^[!-~]+$/.test(typed)) return "Type or paste the key: letters, figures and signs without blanks.";
  try {
    const response = await send("model", {}, typed, 10_000);
    return response.status === 401 ? "This is not a key of this service." : "";
  } catch {
    return "The service can’t be reached.";
  }
}

function say(problem) {
  element("key-problem").textContent = problem;
  element("key").setAttribute("aria-invalid", problem !== "");
}

// Where the browser keeps nothing, the key lives as long as the page.
function kept() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

function keep(typed) {
  key = typed;
  try {
    sessionStorage.setItem(NAME, typed);
  } catch {
    // see above
  }
}
