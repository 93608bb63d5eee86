/** The toolbar: the legend shared by all charts, smoothing, and the way back from a zoom. */
import { element, swatch, write } from "./dom.js";

/** Smoothing, zoom reset and one chip a task. Both are the reader's choices. */
export class Toolbar {
  constructor(choices) {
    this.choices = choices;
    this.chips = element("div", { class: "gn-chips", role: "group", "aria-label": "Tasks shown" });
    this.all = element("button", { type: "button", class: "gn-quiet", hidden: true }, "show all");
    this.all.addEventListener("click", () => choices.setHidden(new Set()));
    this.reset = element("button", { type: "button", class: "gn-quiet", "data-testid": "reset-zoom" }, "reset zoom");
    this.reset.addEventListener("click", () => choices.setZoom(null));
    const tools = element("div", { class: "gn-tools" }, [this.reset, this.smoothing()]);
    this.node = element("div", { class: "gn-toolbar" }, [this.chips, tools]);
    this.read();
  }

  smoothing() {
    const slider = element("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: this.choices.smoothing, "data-testid": "smoothing" });
    const value = element("output", {}, this.choices.smoothing.toFixed(2));
    slider.addEventListener("input", () => {
      write(value, Number(slider.value).toFixed(2));
      this.choices.setSmoothing(Number(slider.value));
    });
    this.read = () => {
      slider.value = String(this.choices.smoothing);
      write(value, this.choices.smoothing.toFixed(2));
      this.zoomed(Boolean(this.choices.zoom));
    };
    const title = "Exponential moving average of the plotted lines; 0 draws them as measured";
    return element("label", { class: "gn-smoothing", title }, [element("span", {}, "Smoothing"), slider, value]);
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

  /** Offer the way back while zoomed; its room is kept so that nothing jumps. */
  zoomed(zoomed) {
    this.reset.style.visibility = zoomed ? "visible" : "hidden";
  }
}
