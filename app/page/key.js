// The key, where the service wants one: asked for once, and kept for this tab.

const NAME = "digits-key";
const element = (id) => document.getElementById(id);
let asked = null; // a promise, while the dialog is open
let isDeclined = false;

export const hasKey = () => sessionStorage.getItem(NAME) !== null;

// As `fetch`, for `patienceMs` at most, with the key. Whoever has none is asked for it, and may decline, once for as
// long as the page is there: then it is the service's 401 that comes back.
export async function fetchWithKey(path, patienceMs, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(NAME);
    const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
    const response = await fetch(path, { ...options, headers, signal: AbortSignal.timeout(patienceMs) });
    if (response.status !== 401 || !(await ask(key))) return response;
  }
}

// Whether there is another key than `tried`: two requests that are refused at once ask for one together.
async function ask(tried) {
  if (sessionStorage.getItem(NAME) !== tried) return true;
  if (isDeclined) return false;
  sessionStorage.removeItem(NAME);
  asked ??= show(tried !== null).finally(() => (asked = null));
  return asked;
}

function show(isWrong) {
  const dialog = element("key");
  element("key-wrong").hidden = !isWrong;
  element("key-field").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      isDeclined = dialog.returnValue !== "use";
      if (!isDeclined) sessionStorage.setItem(NAME, element("key-field").value.trim());
      resolve(!isDeclined);
    };
  });
}

element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  element("key").close("use");
});
element("key-later").addEventListener("click", () => element("key").close());
