/** What the panel holds of one run: live rows, the finer rows of a zoomed range, evaluations. */
import { tick } from "./format.js";
import { Rows, refine } from "./series.js";
import { evaluationLayout, evaluationRow, rowLayout } from "./views.js";
import { t } from "./words.js";

/** The history of one run as it arrives; `run` is the server's first message. */
export class History {
  constructor(run, smoothing) {
    this.run = run;
    this.layout = rowLayout(run);
    this.evaluationLayout = evaluationLayout(run);
    const { alpha, gradient_norms: first } = this.layout;
    const mean = first < 0 ? null : { first, count: run.tasks.length };
    this.rows = new Rows(run.columns.length, { alpha, mean });
    this.rows.stride = run.stride || 1;
    this.rows.setSmoothing(smoothing);
    this.evaluations = new Rows(this.evaluationLayout.width);
    this.detail = null;
    this.events = [];
  }

  /** True when a run message after a reconnect describes the same columns. */
  continues(run) {
    return run.columns.join() === this.run.columns.join();
  }

  /** Take a newer description of the same run, and say whether it shows anything else; see `continues`. */
  describe(run) {
    const measured = (run.metrics ?? []).join() !== (this.run.metrics ?? []).join();
    const other = measured || run.has_targets !== this.run.has_targets;
    this.run = run;
    if (measured) {
      // The evaluations so far come once more.
      this.evaluationLayout = evaluationLayout(run);
      this.evaluations = new Rows(this.evaluationLayout.width);
    }
    return other;
  }

  /** The newest step of any kind. */
  last() {
    return Math.max(this.rows.last(), this.evaluations.last());
  }

  /** Append live rows, also behind a zoomed range's finer rows. */
  append({ count, width, stride, values }) {
    if (width !== this.rows.width || !count) return false;
    this.rows.append(values, count, stride);
    this.detail?.append(values, count, stride);
    return true;
  }

  /** Take the rows of a zoomed range at a finer stride. */
  refine({ count, width, stride, values }) {
    if (width !== this.rows.width || !count) return false;
    this.detail = refine(this.rows, values, count, stride);
    return true;
  }

  /** Append evaluations that are newer than those held. */
  evaluate(evaluations) {
    for (const evaluation of evaluations) {
      if (evaluation.step > this.evaluations.last(-1)) this.evaluations.append(evaluationRow(this.run, evaluation), 1, 1);
    }
  }

  /** Take live changes, as {step, key, value, when, label}, which follow the first `known` of those held. */
  change(events, known) {
    this.events = [...this.events.slice(0, known), ...events];
  }

  /** Steps with the labels of what was changed there, oldest first; of runs without events, where α moved. */
  marks(rows) {
    const alphas = this.events.some(({ key }) => key === "alpha") ? [] : rows.marks;
    const moved = alphas.map(({ step, alpha }) => ({ step, label: `α ${tick(alpha)}` }));
    const { held = [], forked_at: start = 0 } = this.run;
    if (held.length) moved.unshift({ step: (start ?? 0) + 1, label: t("hold {names}", { names: held.join(", ") }) });
    return [...moved, ...this.events].sort((a, b) => a.step - b.step);
  }

  /** Set the smoothing of the per-step lines; evaluations are few and stay as measured. */
  setSmoothing(factor) {
    this.rows.setSmoothing(factor);
    this.detail?.setSmoothing(factor);
  }
}
