/** Of many tasks those that matter: which are drawn as lines, while the rest is a band. */
import { Spread } from "./means.js";
import { t } from "./words.js";

/** As many tasks as are drawn one by one. */
export const MOST_LINES = 10;
// Drawn tasks stay until others are well ahead: those within so many places of their rank.
const SLACK = 3;
const LOOK_EVERY = 3000;

/** Chooses the tasks of the run in front. */
export class Crowd {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.chosen = new Set();
    this.at = -Infinity;
  }

  /** True where there are more tasks than are drawn one by one. */
  get folds() {
    return (this.panel.run?.tasks.length ?? 0) > MOST_LINES;
  }

  /** The tasks that are drawn as lines, in order. */
  get drawn() {
    const all = (this.panel.run?.tasks ?? []).map((_, task) => task);
    const { forward } = this.panel.choices;
    return this.folds ? all.filter((task) => this.chosen.has(task) || forward.has(task)) : all;
  }

  /** The tasks that the band stands for. */
  get others() {
    const drawn = new Set(this.drawn);
    const { hidden } = this.panel.choices;
    return (this.panel.run?.tasks ?? []).map((_, task) => task).filter((task) => !drawn.has(task) && !hidden.has(task));
  }

  /** What is said of the choice; empty where all tasks are drawn. */
  get remark() {
    if (!this.folds) return "";
    const count = this.others.length;
    return t("lines: the tasks of largest weight, and of largest L/L(0), which are slow or stuck; grey: the range of {count} others", { count });
  }

  /** Choose anew; true if that changes what is drawn. now: whether to do so even a moment after the last time. */
  choose(now = false) {
    const { history } = this.panel;
    const time = performance.now();
    if (!history || !this.folds || (!now && time - this.at < LOOK_EVERY)) return false;
    const { rows, layout } = history;
    // What was chosen before there were numbers has no claim to stay.
    const before = this.at === -Infinity ? new Set() : this.chosen;
    this.at = rows.count ? time : -Infinity;
    const newest = (first) => history.run.tasks.map((_, task) => (first < 0 ? NaN : rows.newest(first + task)));
    const chosen = matter(newest(layout.weights), newest(layout.loss_ratios), before);
    const same = chosen.size === this.chosen.size && [...chosen].every((task) => this.chosen.has(task));
    this.chosen = chosen;
    return !same;
  }

  /** The band of a chart's quantity, whose first column is `first`: of the tasks that are not drawn. */
  band(rows, first) {
    return new Spread(rows, this.others.map((task) => first + task));
  }
}

/** MOST_LINES tasks: half of them of the largest weight, the others of the largest loss ratio. `before`: drawn until now. */
export function matter(weights, ratios, before = new Set()) {
  const half = Math.ceil(MOST_LINES / 2);
  const chosen = new Set(greatest(weights, half, new Set(), before));
  for (const task of greatest(ratios, MOST_LINES - chosen.size, chosen, before)) chosen.add(task);
  return chosen;
}

/** The `count` tasks of the largest values that are not taken; one that was drawn keeps its place against a close rival. */
function greatest(values, count, taken, before) {
  const order = values.map((_, task) => task).filter((task) => !taken.has(task));
  order.sort((a, b) => (values[b] || 0) - (values[a] || 0) || a - b);
  const near = order.slice(0, count + SLACK);
  const kept = near.filter((task, rank) => before.has(task) && rank < count + SLACK);
  return [...new Set([...order.slice(0, Math.max(0, count - SLACK)), ...kept, ...near])].slice(0, count);
}
