// What is on the sheet now, and what was on it before: each change can be undone, clearing included.

export class History {
  #states;
  #show;

  constructor(first, show) {
    this.#states = [first];
    this.#show = show;
  }

  get now() {
    return this.#states.at(-1);
  }

  get canUndo() {
    return this.#states.length > 1;
  }

  add(state) {
    this.#states.push(state);
    this.show();
  }

  undo() {
    if (!this.canUndo) return;
    this.#states.pop();
    this.show();
  }

  show() {
    this.#show(this.now);
  }
}
