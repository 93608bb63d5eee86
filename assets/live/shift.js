/** A scale that changes by itself is said: at the chart for a moment, and to those who listen. */
import { element, write } from "./dom.js";
import { count, tick } from "./format.js";
import { t } from "./words.js";

const SHOWN = 5000;
// A range that grows by less is followed by the eye.
const JUMP = 1.6;

/** Watches the scales of one chart. What the reader asked for is no news. */
export class Shift {
  constructor(panel) {
    this.panel = panel;
    this.words = element("span");
    this.node = element("p", { class: "gn-shift", "aria-hidden": "true" }, this.words);
    this.expect();
  }

  /** The next scales are those that the reader asked for, or of another run. */
  expect() {
    this.known = null;
  }

  /** Take the scales that are drawn now. x, y: [from, to]; what: of what, as a title. */
  watch(what, x, y, log) {
    const { known } = this;
    if (known && known.log === log && !jumped(known.y, y, log) && !jumped(known.x, x, false)) return;
    this.known = { x, y, log };
    if (!known) return;
    const scale = log ? t("the scale is logarithmic now, since the values lie far apart") : t("the scale is linear now, since the values lie far apart");
    const far = known.log !== log && scale;
    const values = jumped(known.y, y, log) && t("the values go from {low} to {high} now", { low: tick(rounded(y[0])), high: tick(rounded(y[1])) });
    if (far || values) this.panel.crier.say(`${what}: ${far || values}.`);
    const steps = jumped(known.x, x, false) && t("steps up to {last} are shown now", { last: count(x[1]) });
    // Those are the same in all charts.
    if (steps) this.panel.crier.say(t("In the charts {news}.", { news: steps }));
    this.show(far || values || steps);
  }

  show(news) {
    write(this.words, news[0].toUpperCase() + news.slice(1));
    this.node.dataset.shown = "";
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => delete this.node.dataset.shown, SHOWN);
  }
}

function jumped(before, now, log) {
  const width = ([low, high]) => (log ? Math.log10(high / low) : high - low);
  const ratio = width(now) / width(before);
  return ratio > JUMP || ratio < 1 / JUMP;
}

function rounded(value) {
  return Number(value.toPrecision(2));
}
