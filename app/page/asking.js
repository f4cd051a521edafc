// Asks the service: one request at a time, and of those that wait only the latest, for the others are out of date.

const PAUSE_MS = 80; // between requests while one draws: faster than one can read, and easy on the service
const PATIENCE_MS = 60_000; // for a large photo over a slow line

export class Asking {
  #ways = ["explain", "predict"]; // the second for models that can't be explained
  #callbacks;
  #next = null;
  #busy = false;
  #asked = 0; // the number of the latest question; answers to earlier ones are dropped

  // `answered(answer)`, `refused(problem)` and `waiting(isWaiting)` are told what becomes of the questions.
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  // Asks about a picture. `makePicture()` gives a Blob, or a promise of it, and is called when its turn comes.
  ask(makePicture) {
    this.#asked++;
    this.#next = makePicture;
    if (!this.#busy) this.#work();
  }

  // Drops what waits, and the answer to what is under way.
  forget() {
    this.#asked++;
    this.#next = null;
    this.#callbacks.waiting(false);
  }

  async #work() {
    this.#busy = true;
    while (this.#next) {
      const [makePicture, number] = [this.#next, this.#asked];
      this.#next = null;
      this.#callbacks.waiting(true);
      const result = await this.#send(await makePicture());
      if (number === this.#asked) await this.#tell(result, makePicture);
      // while one goes on drawing, each answer is shown although the next question is there already
      else if (this.#next && result.answer) this.#callbacks.answered(result.answer);
      await pause(PAUSE_MS);
    }
    this.#busy = false;
  }

  async #tell({ answer, problem, retryAfter }, makePicture) {
    const number = this.#asked;
    this.#callbacks.waiting(false);
    if (answer) this.#callbacks.answered(answer);
    else this.#callbacks.refused(problem);
    if (!retryAfter) return;
    await pause(retryAfter * 1000); // not ready or overloaded: the service says when to come back
    if (number === this.#asked) this.#next = makePicture;
  }

  async #send(picture) {
    try {
      const response = await fetch(`${this.#ways[0]}?preview=true`, {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream" }, // the service looks at the bytes, not at names
        body: picture,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const document = await response.json();
      if (response.ok) return { answer: document };
      if (response.status === 501 && this.#ways.length > 1) {
        this.#ways.shift();
        return this.#send(picture);
      }
      return { problem: document, retryAfter: Number(response.headers.get("Retry-After")) };
    } catch {
      return { problem: { title: "The service can’t be reached", detail: "It may have been stopped. Draw on to try again." } };
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
