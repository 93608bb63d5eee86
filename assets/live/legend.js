/** The toolbar: the legend shared by all charts, smoothing, and the way back from a zoom. */
import { element, swatch, write } from "./dom.js";

/** Smoothing, zoom reset and one chip a task. `actions` are the panel's. */
export class Toolbar {
  constructor(actions, settings) {
    this.actions = actions;
    this.settings = settings;
    this.chips = element("div", { class: "gn-chips", role: "group", "aria-label": "Tasks shown" });
    this.all = element("button", { type: "button", class: "gn-quiet", hidden: true }, "show all");
    this.all.addEventListener("click", () => actions.setHidden(new Set()));
    this.reset = element("button", { type: "button", class: "gn-quiet", "data-testid": "reset-zoom" }, "reset zoom");
    this.reset.addEventListener("click", () => actions.setZoom(null));
    const tools = element("div", { class: "gn-tools" }, [this.reset, this.smoothing()]);
    this.node = element("div", { class: "gn-toolbar" }, [this.chips, tools]);
    this.zoomed(false);
  }

  smoothing() {
    const slider = element("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: this.settings.smoothing, "data-testid": "smoothing" });
    const value = element("output", {}, this.settings.smoothing.toFixed(2));
    slider.addEventListener("input", () => {
      write(value, Number(slider.value).toFixed(2));
      this.actions.setSmoothing(Number(slider.value));
    });
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
      const hidden = new Set(this.settings.hidden);
      if (!hidden.delete(i)) hidden.add(i);
      this.actions.setHidden(hidden);
    });
    chip.addEventListener("dblclick", () => {
      const others = this.tasks.map((_, other) => other).filter((other) => other !== i);
      this.actions.setHidden(new Set(others));
    });
    // A finger has no hover: after a tap the other tasks would stay faded.
    chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.actions.setFocus(i));
    chip.addEventListener("pointerleave", () => this.actions.setFocus(-1));
    chip.addEventListener("focus", () => chip.matches(":focus-visible") && this.actions.setFocus(i));
    chip.addEventListener("blur", () => this.actions.setFocus(-1));
    return chip;
  }

  /** Show which tasks are hidden. */
  update() {
    [...this.chips.querySelectorAll(".gn-chip")].forEach((chip, i) => chip.setAttribute("aria-pressed", String(!this.settings.hidden.has(i))));
    this.all.hidden = this.settings.hidden.size === 0;
  }

  /** Offer the way back while zoomed; its room is kept so that nothing jumps. */
  zoomed(zoomed) {
    this.reset.style.visibility = zoomed ? "visible" : "hidden";
  }
}
