/** What is said to those who listen to the page: one sentence after another, and not too often. */
import { element } from "./dom.js";

const PAUSE = 6000;
// What came meanwhile is old news but for the last of it.
const MOST = 2;

/** The panel's live region. */
export class Crier {
  constructor() {
    this.node = element("p", { class: "gn-hidden", "aria-live": "polite", "data-testid": "crier" });
    this.waiting = [];
    this.spoke = -Infinity;
  }

  say(sentence) {
    if (this.waiting.includes(sentence) || this.node.textContent.includes(sentence)) return;
    this.waiting = [...this.waiting, sentence].slice(-MOST);
    const pause = Math.max(0, this.spoke + PAUSE - performance.now());
    this.speaking ||= setTimeout(() => this.speak(), pause);
  }

  speak() {
    this.speaking = 0;
    this.spoke = performance.now();
    this.node.textContent = this.waiting.join(" ");
    this.waiting = [];
  }

  close() {
    clearTimeout(this.speaking);
  }
}
