/** Algorithm 1 of the paper with the numbers of one step: a line at a time, in the order in which it is done. */
import { t } from "./words.js";

/**
 * What was measured at a row, as a list a quantity with a number for each task.
 * @returns {{ step: number, next: number, alpha: number, imbalance: number } & Record<string, any>}
 */
export function measured({ rows, layout, run }, at) {
  const value = (column, index = at) => (column < 0 || index < 0 || index >= rows.count ? NaN : rows.columns[column][index]);
  const list = (first, index = at) => run.tasks.map((_, i) => value(first < 0 ? -1 : first + i, index));
  return {
    step: value(0),
    next: value(0, at + 1),
    alpha: value(layout.alpha),
    imbalance: value(layout.imbalance),
    weights: list(layout.weights),
    norms: list(layout.gradient_norms),
    targets: list(layout.targets),
    losses: list(layout.losses),
    ratios: list(layout.loss_ratios),
    rates: list(layout.relative_rates),
    later: list(layout.weights, at + 1),
  };
}

/**
 * The lines that this step has numbers for: what is done, its formula, a number a task, and one for all.
 * @returns {{ key: string, text: string, formula: string, values: number[], total?: { name: string, value: number } }[]}
 */
export function lines(now) {
  const tasks = now.losses.length;
  const mean = now.norms.reduce((sum, norm) => sum + norm, 0) / tasks;
  const moved = Number.isFinite(now.next) ? `wᵢ(${now.next})` : "wᵢ(t+1)";
  const all = [
    { key: "losses", text: t("The network answers; each task has a loss"), formula: "Lᵢ(t)", values: now.losses },
    { key: "norms", text: t("How hard does each task pull on W?"), formula: "Gᵢ = ‖∇_W wᵢLᵢ‖", values: now.norms, total: { name: t("mean Ḡ"), value: mean } },
    { key: "ratios", text: t("How much of its first loss has each task left?"), formula: "Lᵢ(t)/Lᵢ(0)", values: now.ratios },
    { key: "rates", text: t("Who lags behind? Above 1 is slower than the others"), formula: t("rᵢ = ratio / mean ratio"), values: now.rates },
    { key: "targets", text: t("So hard each task should pull"), formula: "Ḡ·pᵢ·rᵢ^α", values: now.targets, total: { name: "α", value: now.alpha } },
    { key: "imbalance", text: t("How far are the pulls from that?"), formula: t("L_grad = Σ|Gᵢ − target|"), values: [], total: { name: "L_grad", value: now.imbalance } },
    { key: "step", text: t("The network learns, each loss as loud as its weight"), formula: "Σ wᵢ(t)·Lᵢ(t)", values: now.weights },
    { key: "weights", text: t("The weights move, so that the pulls come closer; they sum to {tasks}", { tasks }), formula: moved, values: now.later },
  ];
  // A method without targets has fewer lines.
  return all.filter(({ values, total }) => [...values, ...(values.length ? [] : [total.value])].some(Number.isFinite));
}
