/** The toolbar: the legend shared by all charts, and the tools beside it. */
import { element, swatch, write } from "./dom.js";
import { Tools } from "./tools.js";
import { t } from "./words.js";

/** One chip a task, and the tools. All are the reader's choices. */
export class Toolbar {
  constructor(choices) {
    this.choices = choices;
    this.chips = element("div", { class: "gn-chips", role: "group", "aria-label": t("Tasks shown") });
    this.all = element("button", { type: "button", class: "gn-quiet", hidden: true }, t("show all"));
    this.all.addEventListener("click", () => choices.setHidden(new Set()));
    this.others = element("button", { type: "button", class: "gn-chip gn-others", "data-testid": "other-tasks", hidden: true });
    this.others.addEventListener("click", () => this.unfold());
    this.folded = element("div", { class: "gn-folded", role: "group", "aria-label": t("Tasks of the band") });
    this.back = element("button", { type: "button", class: "gn-quiet", hidden: true }, t("put back what I brought forward"));
    this.back.addEventListener("click", () => choices.draw({ forward: new Set() }));
    this.open = false;
    this.list = [];
    /** @type {import("./crowd.js").Crowd | null} */
    this.crowd = null;
    this.tools = new Tools(choices);
    this.node = element("div", { class: "gn-toolbar" }, [this.chips, this.tools.node]);
  }

  /**
   * One chip for each task of the run. Of more than are drawn one by one those of the band are behind a button.
   * @param {import("./crowd.js").Crowd | null} crowd says which are drawn
   */
  configure(tasks, crowd = null) {
    this.tasks = tasks;
    this.crowd = crowd;
    const drawn = new Set(crowd?.drawn ?? []);
    const chips = tasks.map((task, i) => this.chip(task, i, drawn.has(i)));
    this.list = chips;
    const others = chips.filter((_, i) => !drawn.has(i));
    const number = { count: others.length };
    write(this.others, others.length > 1 ? t("and {count} others", number) : t("and {count} other", number));
    this.others.hidden = !others.length;
    this.folded.replaceChildren(...others);
    this.chips.replaceChildren(...chips.filter((_, i) => drawn.has(i)), this.others, this.all, this.back, this.folded);
    this.chips.classList.toggle("gn-alone", this.alone);
    this.chips.setAttribute("aria-label", this.alone ? t("The task shown") : t("Tasks shown"));
    this.update();
  }

  /** True while one task is shown at a time. */
  get alone() {
    return this.choices.byContender;
  }

  chip(task, i, drawn) {
    const hides = drawn ? t("click hides or shows it in all charts, double click shows it alone") : t("click draws it as a line of its own");
    const what = this.alone ? t("click shows it in place of the other") : hides;
    const chip = element("button", { type: "button", class: "gn-chip", "data-testid": `legend-${i}`, title: `${task.name}: ${what}` }, [swatch(task), element("span", { class: "gn-chip-name" }, task.name)]);
    chip.addEventListener("click", () => this.pick(i, drawn));
    if (this.alone || !drawn) return chip;
    chip.addEventListener("dblclick", () => {
      const others = this.tasks.map((_, other) => other).filter((other) => other !== i);
      this.choices.setHidden(new Set(others));
    });
    // A finger has no hover: after a tap the other tasks would stay faded.
    chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.choices.setFocus(i));
    chip.addEventListener("pointerleave", () => this.choices.setFocus(-1));
    chip.addEventListener("focus", () => chip.matches(":focus-visible") && this.choices.setFocus(i));
    chip.addEventListener("blur", () => this.choices.setFocus(-1));
    return chip;
  }

  /** A task was clicked: show it alone, bring it forward, or hide or show it. */
  pick(task, drawn) {
    const { choices } = this;
    const hidden = new Set(choices.hidden);
    if (this.alone) choices.draw({ task });
    else if (!drawn) {
      hidden.delete(task);
      choices.draw({ forward: new Set([...choices.forward, task]), hidden });
    } else {
      if (!hidden.delete(task)) hidden.add(task);
      choices.setHidden(hidden);
      return;
    }
    // The chips were made anew: the one that was pressed keeps the focus.
    this.list[task].focus();
  }

  unfold() {
    this.open = !this.open;
    this.update();
  }

  /** Show which tasks are hidden, or which one is shown. */
  update() {
    const { hidden, task, forward } = this.choices;
    const drawn = new Set(this.crowd?.drawn ?? []);
    const shown = (i) => (this.alone ? i === task : drawn.has(i) && !hidden.has(i));
    this.list.forEach((chip, i) => chip.setAttribute("aria-pressed", String(shown(i))));
    this.others.setAttribute("aria-expanded", String(this.open));
    this.folded.hidden = !this.open || !this.folded.childElementCount;
    this.all.hidden = this.alone || hidden.size === 0;
    this.back.hidden = this.alone || forward.size === 0 || !this.crowd?.folds;
  }
}
