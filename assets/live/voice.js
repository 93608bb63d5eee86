/** A chart for the keyboard and for screen readers: a slider over its steps, whose value is what the lines are there. */
import { valueText } from "./readout.js";
import { t } from "./words.js";

/** Points at a step of one chart, and says what it shows. */
export class Voice {
  constructor(chart) {
    /** @type {import("./chart.js").Chart} */
    this.chart = chart;
    /** The step that keys point at, null for none. @type {number | null} */
    this.pointed = null;
  }

  /** Point at the row `rows` after the one pointed at, or after the newest. */
  step(rows) {
    const { plot } = this.chart;
    const steps = plot.data[0];
    const now = this.pointed === null ? steps.length - (rows < 0 ? 0 : 1) : plot.cursor.idx;
    this.point(steps[Math.min(Math.max(0, now + rows), steps.length - 1)]);
  }

  /** Point at a step, and say its values; null for none. others: whether the other charts follow. */
  point(step, others = true) {
    const { plot, panel } = this.chart;
    if (step === null && this.pointed === null) return;
    this.pointed = step;
    if (!plot) return;
    const { min, max } = panel.choices.range();
    if (step !== null && (step < min || step > max)) panel.choices.look(step - (max - min) / 2, step + (max - min) / 2);
    const at = step === null ? { left: -10, top: -10 } : { left: plot.valToPos(step, "x"), top: plot.over.clientHeight / 2 };
    plot.setCursor(at, true, others);
    this.value();
  }

  /** Say what the chart is, and its newest values. */
  speak() {
    const { panel, host, view } = this.chart;
    const what = { quantity: t(view.sentence), count: panel.run?.tasks.length };
    const tasks = what.count > 1 ? t("Line chart of {quantity}, {count} tasks", what) : t("Line chart of {quantity}, {count} task", what);
    host.setAttribute("aria-label", panel.run ? tasks : t("Line chart of {quantity}: no run yet", what));
    // What is read is not talked over.
    if (document.activeElement !== host) this.value();
  }

  /** Say the values at the step that is pointed at, or the newest. */
  value() {
    const { plot, host, measured, panel } = this.chart;
    // While it is made anew, what was said stands.
    if (!plot && measured && host.hasAttribute("aria-valuetext")) return;
    const last = plot?.data[0].at(-1) ?? 0;
    host.setAttribute("aria-valuemin", "0");
    host.setAttribute("aria-valuemax", String(last));
    host.setAttribute("aria-valuenow", String(this.pointed ?? last));
    const nothing = this.chart.reason() || (panel.run ? t("no numbers yet") : t("no run yet"));
    host.setAttribute("aria-valuetext", plot ? valueText(this.chart, this.pointed) : nothing);
  }
}
