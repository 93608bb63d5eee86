/** What each chart shows: which columns of which stream become which lines. */
import { later, t } from "./words.js";

/** What every layout has a place for, −1 where a run lacks it. */
const QUANTITIES = ["alpha", "imbalance", "weights", "gradient_norms", "targets", "losses", "loss_ratios", "relative_rates"];

/**
 * Where each quantity begins among the columns of the live rows: those of the run, which may be of another version.
 * @returns {Record<string, number>}
 */
export function rowLayout(run) {
  const layout = Object.fromEntries(QUANTITIES.map((name) => [name, -1]));
  run.columns.forEach((column, i) => {
    const [name, task = "0"] = column.split(".");
    if (task === "0") layout[name] = i;
  });
  return { ...layout, mean: run.columns.length };
}

/** Where each quantity begins among the columns of the evaluation rows, as `evaluationRow` writes them. */
export function evaluationLayout(run) {
  const tasks = run.tasks.length;
  return { total: 1, loss_ratios: 2, losses: 2 + tasks, metrics: 2 + 2 * tasks, width: 2 + 2 * tasks + tasks * (run.metrics ?? []).length };
}

/** One evaluation as a flat row: step, sum of loss ratios, loss ratios, losses, metrics by task. */
export function evaluationRow(run, evaluation) {
  const number = (value) => (typeof value === "number" ? value : NaN);
  const row = [number(evaluation.step), number(evaluation.task_normalized_loss)];
  run.tasks.forEach((_, i) => row.push(number(evaluation.loss_ratios?.[i])));
  run.tasks.forEach((_, i) => row.push(number(evaluation.losses?.[i])));
  run.tasks.forEach((_, i) => {
    for (const name of run.metrics ?? []) row.push(number(evaluation.metrics?.[i]?.[name]));
  });
  return Float32Array.from(row);
}

const perTask = (run, first, style = {}) =>
  first >= 0 ? run.tasks.map((task, i) => ({ column: first + i, task: i, label: task.name, width: 1.4, ...style })) : [];

/** The views by name. `log`: true, false, or null for "log once max/min exceeds 50". */
export const VIEWS = {
  weights: {
    title: later("Loss weights"),
    symbol: "wᵢ(t)",
    log: null,
    gloss: later("how strongly each task’s loss counts"),
    sentence: later("loss weights by step"),
    lines: (run, at) => perTask(run, at.weights),
  },
  norms: {
    title: later("Gradient norms"),
    symbol: "Gᵢ(t)",
    log: true,
    gloss: later("how hard each task pulls on the shared layer"),
    sentence: later("gradient norms at the shared layer by step, with their targets dashed and their mean"),
    note: (run) => (run.has_targets ? t("dashed: target Ḡ·pᵢ·rᵢ^α") : ""),
    lines: (run, at) => [
      ...(run.has_targets ? perTask(run, at.targets, { width: 1, dash: [3, 3], opacity: 0.75, kind: "target" }) : []),
      ...perTask(run, at.gradient_norms, { width: 1.2 }),
      ...(run.tasks.length > 1 && at.gradient_norms >= 0
        ? [{ column: at.mean, task: -1, label: t("mean Ḡ"), sign: "Ḡ", kind: "mean", width: 1.3 }]
        : []),
    ],
  },
  test: {
    title: later("Task-normalised test loss"),
    symbol: "Σ Lᵢ(t)/Lᵢ(0)",
    log: null,
    source: "evaluations",
    // Of several runs, one line each: the sum.
    overall: true,
    gloss: later("how much of the first loss is left on the test set"),
    sentence: later("task-normalised test loss by step: the sum over tasks, and each task's ratio"),
    lines: (run, at) => [
      ...perTask(run, at.loss_ratios, { width: 1.1 }),
      { column: at.total, task: -1, label: t("sum over tasks"), sign: "Σ", width: 2.6 },
    ],
  },
  ratios: {
    title: later("Loss ratios"),
    symbol: "Lᵢ(t)/Lᵢ(0)",
    short: "L/L(0)",
    log: null,
    gloss: later("how much of its first training loss each task has left"),
    sentence: later("training loss ratios by step"),
    lines: (run, at) => perTask(run, at.loss_ratios),
  },
  rates: {
    title: later("Relative inverse training rates"),
    symbol: "rᵢ(t)",
    short: "r",
    log: false,
    gloss: later("which tasks lag behind the others"),
    sentence: later("relative inverse training rates by step"),
    lines: (run, at) => perTask(run, at.relative_rates),
  },
  imbalance: {
    title: later("Gradient loss"),
    symbol: "L_grad(t)",
    short: "L_grad",
    log: true,
    gloss: later("how far the gradient norms are from their targets"),
    sentence: later("gradient loss, the distance of the gradient norms from their targets, by step"),
    lines: (run, at) =>
      at.imbalance < 0 ? [] : [{ column: at.imbalance, task: -1, label: "L_grad", sign: "L_grad", width: 1.5 }],
  },
  losses: {
    title: later("Training losses"),
    symbol: "Lᵢ(t)",
    short: "L",
    log: true,
    gloss: later("each task’s training loss"),
    sentence: later("training losses by step"),
    lines: (run, at) => perTask(run, at.losses),
  },
};

/** The views the fourth chart can show, in order. */
export const MORE_VIEWS = ["ratios", "rates", "imbalance", "losses"];
