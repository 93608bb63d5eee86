/** Weighting methods on vectors of length T: those of gradnorm/methods that need no more than losses and norms. */

/** @typedef {{ losses: number[], norms: number[], rates: number[] }} Signal L_i, ‖∇_W L_i‖ and r_i of a step. */
/** @typedef {{ targets?: number[], imbalance?: number }} Decision */

const LEAST = 1e-8;
const MOST = 1e8;

/** What all methods have: w(t) as `weights`. Their `decide` takes a Signal, sets w(t+1) and returns a Decision. */
class Method {
  constructor(tasks, options) {
    this.options = options;
    this.weights = new Array(tasks).fill(1);
  }

  /** Whether each head gets the gradient of its own loss, unweighted. */
  get ownHeads() {
    return this.options.heads === "own";
  }

}

class Equal extends Method {
  decide() {
    return {};
  }
}

/** GradNorm (Chen et al., ICML 2018): gradnorm/methods/gradnorm.py, with the updates "closed" and "log". */
class GradNorm extends Method {
  constructor(tasks, options) {
    super(tasks, options);
    this.total = new Array(tasks).fill(0);
    this.log = new Array(tasks).fill(0);
    this.squared = new Array(tasks).fill(-Infinity);
  }

  /**
   * @param {Signal} signal
   * @returns {Decision}
   */
  decide({ norms, rates }) {
    const { alpha, update } = this.options;
    const G = norms.map((norm, i) => norm * this.weights[i]);
    const powers = rates.map((rate) => rate ** alpha);
    const level = mean(G) / mean(powers);
    const targets = powers.map((power) => level * power);
    const gaps = G.map((norm, i) => norm - targets[i]);
    const sound = mean(G) < Infinity;
    const proposed = update === "log" ? this.logStep(gaps, norms, sound) : this.closed(powers, norms, sound);
    this.weights = scaled(proposed);
    return { targets, imbalance: gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) };
  }

  logStep(gaps, norms, sound) {
    const rate = this.options.weight_learning_rate;
    return this.weights.map((w, i) => w * Math.exp(sound ? -rate * Math.sign(gaps[i] * norms[i]) : 0));
  }

  /** The weights that meet the targets, with what was wanted and measured smoothed over steps. */
  closed(powers, norms, sound) {
    const keep = 0.5 ** (1 / this.options.half_life);
    norms.forEach((norm, i) => {
      const [wanted, square] = [Math.log(powers[i]), 2 * Math.log(norm)];
      if (!sound || !Number.isFinite(wanted + square)) return;
      this.total[i] = this.total[i] * keep + (1 - keep);
      this.log[i] = this.log[i] * keep + wanted * (1 - keep);
      this.squared[i] = logOfSum(this.squared[i] + Math.log(keep), square + Math.log(1 - keep));
    });
    const smoothed = this.total.map((total, i) => this.log[i] / total - (this.squared[i] - Math.log(total)) / 2);
    // A task that has shown no gradient yet has NaN: it is in the middle of the others.
    const middle = mean(smoothed.filter((value) => !Number.isNaN(value)));
    return smoothed.map((value) => Math.exp(Number.isNaN(value) ? 0 : value - middle));
  }
}

/** Uncertainty weighting (Kendall et al., CVPR 2018) of regressions: gradnorm/methods/uncertainty.py. */
class Uncertainty extends Method {
  constructor(tasks, options) {
    super(tasks, options);
    this.weights.fill(0.5);
    this.adam = Array.from({ length: tasks }, () => ({ m: 0, v: 0, s: 0 }));
    this.steps = 0;
  }

  /**
   * @param {Signal} signal
   * @returns {Decision}
   */
  decide({ losses }) {
    this.steps += 1;
    this.weights = this.adam.map((kept, i) => {
      const gradient = 0.5 - this.weights[i] * losses[i];
      kept.m = 0.9 * kept.m + 0.1 * gradient;
      kept.v = 0.999 * kept.v + 0.001 * gradient * gradient;
      const [m, v] = [kept.m / (1 - 0.9 ** this.steps), kept.v / (1 - 0.999 ** this.steps)];
      kept.s -= (this.options.weight_learning_rate * m) / (Math.sqrt(v) + 1e-8);
      return 0.5 * Math.exp(-kept.s);
    });
    return {};
  }
}

/** By the names that specs use. @type {Record<string, any>} */
export const METHODS = { equal: Equal, gradnorm: GradNorm, uncertainty: Uncertainty };

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Weights that sum to T: the last line of Algorithm 1. */
function scaled(weights) {
  const within = weights.map((w) => Math.min(MOST, Math.max(LEAST, w)));
  return within.map((w) => w / mean(within));
}

/** log(eᵃ + eᵇ). */
function logOfSum(a, b) {
  const [less, more] = a < b ? [a, b] : [b, a];
  return more + Math.log1p(Math.exp(less - more));
}
