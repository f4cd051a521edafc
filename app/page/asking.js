// Asks the service: one request at a time, and of those that wait only the latest, for the others are out of date.

import { ask } from "./key.js";

const PAUSE_MS = 80; // between requests while one draws: faster than one can read, and easy on the service
const PATIENCE_MS = 60_000; // for a large photo over a slow line

export const UNREACHABLE = {
  title: "The service can’t be reached",
  detail: "It may have been stopped. Whatever is drawn or chosen next is a new try.",
};

// What the service says to a picture, a Blob, at `path`.
export function askAbout(path, picture) {
  const headers = { "Content-Type": "application/octet-stream" }; // the service looks at the bytes, not at names
  return ask(path, { method: "POST", headers, body: picture }, PATIENCE_MS);
}

export class Asking {
  #ways = ["explain", "predict"]; // the second for models that can't be explained
  #callbacks;
  #subject = null; // what is asked about: answers about anything else come too late
  #next = null;
  #busy = false;
  #answered = null; // the subject of the answer that is shown

  // `answered(answer)`, `refused(problem)` and `waiting(isWaiting, isNew)` are told what becomes of the questions;
  // `isNew`: what is shown is of something else.
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  // Asks about a picture of `subject`, which stays the same while a drawing grows. `makePicture()` gives a Blob, or a
  // promise of it, and is called when its turn comes.
  ask(subject, makePicture) {
    this.#subject = subject;
    this.#next = makePicture;
    if (!this.#busy) this.#work();
  }

  // Drops what waits, and the answer to what is under way.
  forget() {
    this.#subject = this.#next = this.#answered = null;
    this.#callbacks.waiting(false);
  }

  async #work() {
    this.#busy = true;
    while (this.#next) {
      const [subject, makePicture] = [this.#subject, this.#next];
      this.#next = null;
      this.#callbacks.waiting(true, subject !== this.#answered);
      const { answer, problem, retryAfter } = await this.#send(await makePicture());
      if (!this.#next) this.#callbacks.waiting(false);
      if (subject === this.#subject) {
        this.#answered = subject;
        // an answer that is overtaken already is still the best there is; a problem that is overtaken may be none
        if (answer) this.#callbacks.answered(answer);
        else if (!this.#next) this.#callbacks.refused(problem);
      }
      await pause(retryAfter ? retryAfter * 1000 : PAUSE_MS);
      // not ready or overloaded: the service has said when to come back
      if (retryAfter && subject === this.#subject) this.#next ??= makePicture;
    }
    this.#busy = false;
  }

  async #send(picture) {
    try {
      const response = await askAbout(`${this.#ways[0]}?preview=true`, picture);
      const document = await response.json();
      if (response.ok) return { answer: document };
      if (response.status === 501 && this.#ways.length > 1) {
        this.#ways.shift();
        return this.#send(picture);
      }
      return { problem: document, retryAfter: Number(response.headers.get("Retry-After")) };
    } catch {
      return { problem: UNREACHABLE };
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
