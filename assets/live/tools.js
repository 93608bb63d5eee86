/** The tools beside the legend: smoothing, the way back from a zoom, and how charts are read by keys and fingers. */
import { element, write } from "./dom.js";
import { LIGHT } from "./smoothing.js";
import { later, local, t } from "./words.js";

const HELP = [
  [later("Zoom"), later("drag across a chart, or pinch; + and − on the keyboard")],
  [later("Move"), later("drag with one finger; Shift with ← and → on the keyboard")],
  [later("Show all"), later("double click or double tap; Escape on the keyboard")],
  [later("Read values"), later("point at a chart, or tap it; ← and →, Page Up and Page Down, Home and End on the keyboard")],
];

/** What of the charts is the reader's choice, but for the tasks. */
export class Tools {
  constructor(choices) {
    this.choices = choices;
    this.reset = element("button", { type: "button", class: "gn-quiet", "data-testid": "reset-zoom" }, t("reset zoom"));
    this.reset.addEventListener("click", () => choices.setZoom(null));
    this.node = element("div", { class: "gn-tools" }, [this.reset, this.smoothing(), this.help()]);
    this.read();
  }

  smoothing() {
    const title = t("Moving average of the lines drawn step by step. Off: as measured. Tables and verdicts are always as measured.");
    this.switch = element("button", { type: "button", class: "gn-quiet gn-switch", title, "data-testid": "smooth" }, t("Smoothing"));
    this.switch.addEventListener("click", () => this.smooth(this.choices.smoothing ? 0 : LIGHT));
    this.slider = element("input", { type: "range", min: 0, max: 0.99, step: 0.01, "aria-label": t("How much lines are smoothed"), "data-testid": "smoothing" });
    this.value = element("output");
    this.slider.addEventListener("input", () => this.smooth(Number(this.slider.value)));
    return element("div", { class: "gn-smoothing" }, [this.switch, this.slider, this.value]);
  }

  smooth(factor) {
    this.choices.setSmoothing(factor);
    this.read();
  }

  help() {
    const list = element("dl", {}, HELP.flatMap(([what, how]) => [element("dt", {}, t(what)), element("dd", {}, t(how))]));
    const words = element("div", { class: "gn-help", role: "note", popover: "auto", "data-testid": "help" }, list);
    const button = element("button", { type: "button", class: "gn-quiet gn-round", "aria-label": t("How to zoom and read the charts"), title: t("How to zoom and read the charts") }, "?");
    button.addEventListener("click", () => words.togglePopover());
    return element("div", { class: "gn-help-box" }, [button, words]);
  }

  /** Show the choices as they are. The way back from a zoom keeps its room, so that nothing jumps. */
  read() {
    const { smoothing, zoom } = this.choices;
    this.switch.setAttribute("aria-pressed", String(smoothing > 0));
    this.slider.value = String(smoothing);
    write(this.value, smoothing ? local(smoothing.toFixed(2)) : t("off"));
    this.reset.style.visibility = zoom ? "visible" : "hidden";
  }
}
