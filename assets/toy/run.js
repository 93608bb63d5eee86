/** One run of a race: a network, a method, and the records of its steps, as gradnorm/runs/records.py has them. */
import { BATCH, OUTPUTS, TEST } from "./data.js";
import { mean, METHODS } from "./methods.js";
import { Network } from "./network.js";

const TINY = 1.1754944e-38;
const HUGE = 1e36;

/** The fields of a StepRecord in their order, and how many numbers each has. */
const QUANTITIES = [
  ["step", "scalar"], ["alpha", "scalar"], ["imbalance", "scalar"], ["weights", "task"], ["gradient_norms", "task"],
  ["targets", "task"], ["losses", "task"], ["loss_ratios", "task"], ["relative_rates", "task"],
];

/** The names of a row's numbers for T tasks. */
export function columns(tasks) {
  const of = (name) => Array.from({ length: tasks }, (_, i) => `${name}.${i}`);
  return QUANTITIES.flatMap(([name, shape]) => (shape === "task" ? of(name) : [name]));
}

/** Trains one network on batches that are handed to it. */
export class Run {
  /**
   * @param {import("./kernel.js").Kernel} kernel
   * @param {import("./network.js").Room} room
   * @param {Record<string, any>} spec a flat spec, as `RunSpec.flat` writes it.
   */
  constructor(kernel, room, spec) {
    this.spec = spec;
    this.tasks = spec.sigmas.length;
    this.network = new Network(kernel, room, this.tasks, spec.seed);
    this.method = new METHODS[spec.method](this.tasks, { ...spec });
    this.taken = 0;
    /** @type {number[] | null} */
    this.firstLosses = null;
    /** @type {number[] | null} */
    this.firstTest = null;
  }

  /**
   * Take a step and return its record.
   * @param {import("./data.js").Examples} batch
   */
  step({ inputs, targets }) {
    const { method, network, spec } = this;
    const weights = method.weights;
    const alpha = method.options.alpha;
    const losses = squares(network.forward(inputs, BATCH), targets, network.room.slopes, this.tasks).map((sum) => sum / (BATCH * OUTPUTS));
    this.firstLosses ??= losses;
    const own = method.ownHeads;
    slope(network.room.slopes, own ? weights.map(() => 1) : weights);
    const G = network.backward(inputs, own ? weights : weights.map(() => 1));
    network.move(spec.learning_rate);
    const ratios = losses.map((loss, i) => Math.min(HUGE, loss / this.firstLosses[i]));
    const rates = ratios.map((ratio) => (ratio + TINY) / (mean(ratios) + TINY));
    const { targets: goals, imbalance } = method.decide({ losses, norms: G.map((norm, i) => norm / weights[i]), rates });
    this.taken += 1;
    const none = losses.map(() => NaN);
    return { step: this.taken, alpha, imbalance, weights, gradient_norms: G, targets: goals ?? none, losses, loss_ratios: ratios, relative_rates: rates };
  }

  /**
   * The network on the test set: losses, their share of the first ones, and R².
   * @param {import("./data.js").Examples} test
   */
  evaluate({ inputs, targets }) {
    const missed = squares(this.network.forward(inputs, TEST), targets, null, this.tasks);
    const losses = missed.map((sum) => sum / (TEST * OUTPUTS));
    this.firstTest ??= losses;
    const spread = spreads(targets, this.tasks);
    const ratios = losses.map((loss, i) => loss / this.firstTest[i]);
    return {
      step: this.taken,
      losses,
      loss_ratios: ratios,
      task_normalized_loss: ratios.reduce((sum, ratio) => sum + ratio, 0),
      metrics: missed.map((sum, i) => ({ r2: 1 - sum / spread[i] })),
      constant_losses: spread.map((sum) => sum / (TEST * OUTPUTS)),
      constant_metrics: missed.map(() => ({ r2: 0 })),
    };
  }
}

/** A record as a row of numbers in the order of `columns`. */
export function row(record) {
  return QUANTITIES.flatMap(([name]) => record[name] ?? NaN);
}

/** Σ (output − target)² of each task; the gaps are written to `gaps` where it is given. */
function squares(outputs, targets, gaps, tasks) {
  const found = new Array(tasks).fill(0);
  for (let at = 0; at < outputs.length; ) {
    for (let task = 0; task < tasks; task += 1) {
      let sum = 0;
      for (const end = at + OUTPUTS; at < end; at += 1) {
        const gap = outputs[at] - targets[at];
        sum += gap * gap;
        if (gaps) gaps[at] = gap;
      }
      found[task] += sum;
    }
  }
  return found;
}

/** Make gaps the slopes of the weighted mean squares. */
function slope(gaps, weights) {
  for (let at = 0; at < gaps.length; ) {
    for (const weight of weights) {
      const factor = (weight * 2) / (BATCH * OUTPUTS);
      for (const end = at + OUTPUTS; at < end; at += 1) gaps[at] *= factor;
    }
  }
}

/** Σ (y − ȳ)² of each task, where ȳ is the mean of each output. */
function spreads(targets, tasks) {
  const found = new Array(tasks).fill(0);
  const wide = tasks * OUTPUTS;
  for (let column = 0; column < wide; column += 1) {
    let [sum, square] = [0, 0];
    for (let at = column; at < targets.length; at += wide) sum += targets[at];
    const middle = sum / TEST;
    for (let at = column; at < targets.length; at += wide) square += (targets[at] - middle) ** 2;
    found[Math.floor(column / OUTPUTS)] += square;
  }
  return found;
}
