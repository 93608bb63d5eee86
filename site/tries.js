/** Six things to see: settings of the toy, and what to watch. tests/site/test_tries.py checks each claim. */
import { element, write } from "../assets/live/dom.js";
import { later, t } from "../assets/live/words.js";

export const TRIES = [
  {
    title: later("A task is drowned out"),
    settings: { race: ["equal"], steps: 600 },
    watch: later("Targets of task 2 are a hundred times larger, so its gradient norm is far above that of task 1. With equal weights task 1 rises to more than 20 times its first loss before it falls."),
  },
  {
    title: later("GradNorm balances"),
    settings: { race: ["gradnorm", "equal"], steps: 3000 },
    watch: later("The same start. After one step GradNorm has brought w₂ to about a quarter, and from there on the two norms stay within a factor of five. Task 1 is not drowned out: it stays near or below its first loss. GradNorm comes down later than equal weights, and ends lower."),
  },
  {
    title: later("Move α"),
    settings: { race: ["gradnorm"], alpha: 0 },
    watch: later("With α = 0 the targets of both norms, dashed, are one line. Move α while it trains: the target of the task that has more of its first loss left rises above the other."),
  },
  {
    title: later("Small steps"),
    settings: { race: ["gradnorm"], update: "log", steps: 600 },
    watch: later("The log update moves weights by one or two hundredths a step. It takes 100 steps to bring w₂ to a quarter, where the closed form is after one. In the meantime task 1 rises to about five times its first loss."),
  },
  {
    title: later("Ten tasks"),
    settings: { race: ["gradnorm", "equal"], steps: 400, sigmas: [12.6, 13.2, 64, 10.5, 53.6, 36.2, 130, 94.7, 70.4, 127] },
    watch: later("Ten tasks of ten sizes. With equal weights each test loss is near its first value after 400 steps. GradNorm brings all ten below nine tenths."),
  },
  {
    title: later("Nothing to balance"),
    settings: { race: ["gradnorm", "equal"], steps: 300, sigmas: [5, 5] },
    watch: later("Two tasks of one size. GradNorm keeps its weights within 0.2 of 1, and both methods end at the same test loss: where losses are alike, there is nothing to gain."),
  },
];

/** The row of things to see; `choose(place)` hears which was pressed. */
export class Tries {
  constructor(nav, note, choose) {
    this.note = note;
    this.buttons = TRIES.map(({ title }, place) => {
      const button = element("button", { type: "button" }, [element("b", {}, String(place + 1)), t(title)]);
      button.addEventListener("click", () => choose(place));
      return button;
    });
    nav.append(...this.buttons);
  }

  /** Show which of them is seen; −1 for none. */
  show(place) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === place)));
    write(this.note, t(TRIES[place]?.watch ?? ""));
  }
}
