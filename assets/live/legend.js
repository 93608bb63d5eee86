/** The toolbar: the legend shared by all charts, and the tools beside it. */
import { element, swatch } from "./dom.js";
import { Tools } from "./tools.js";

/** One chip a task, and the tools. All are the reader's choices. */
export class Toolbar {
  constructor(choices) {
    this.choices = choices;
    this.chips = element("div", { class: "gn-chips", role: "group", "aria-label": "Tasks shown" });
    this.all = element("button", { type: "button", class: "gn-quiet", hidden: true }, "show all");
    this.all.addEventListener("click", () => choices.setHidden(new Set()));
    this.tools = new Tools(choices);
    this.node = element("div", { class: "gn-toolbar" }, [this.chips, this.tools.node]);
  }

  /** One chip for each task of the run. */
  configure(tasks) {
    this.tasks = tasks;
    const chips = tasks.map((task, i) => this.chip(task, i));
    this.chips.replaceChildren(...chips, this.all);
    this.update();
  }

  chip(task, i) {
    const title = `${task.name}: click hides or shows it in all charts, double click shows it alone`;
    const chip = element("button", { type: "button", class: "gn-chip", "data-testid": `legend-${i}`, title }, [swatch(task), element("span", { class: "gn-chip-name" }, task.name)]);
    chip.addEventListener("click", () => {
      const hidden = new Set(this.choices.hidden);
      if (!hidden.delete(i)) hidden.add(i);
      this.choices.setHidden(hidden);
    });
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

  /** Show which tasks are hidden. */
  update() {
    [...this.chips.querySelectorAll(".gn-chip")].forEach((chip, i) => chip.setAttribute("aria-pressed", String(!this.choices.hidden.has(i))));
    this.all.hidden = this.choices.hidden.size === 0;
  }
}
