/** The toy of gradnorm/datasets/builtin/toy.py with its defaults: f_i(x) = σ_i tanh((B + ε_i) x). */
import { Stream } from "./random.js";

export const INPUTS = 250;
export const OUTPUTS = 100;
export const BATCH = 100;
export const TEST = 500;
const SHARED_VARIANCE = 10;
const OWN_VARIANCE = 3.5;

/** @typedef {{ inputs: Float32Array, targets: Float32Array, size: number }} Examples Row-major: [size, INPUTS], [size, T·OUTPUTS]. */

/** The data of all runs of a race: new examples at every step, and a test set. */
export class Data {
  /**
   * @param {import("./kernel.js").Kernel} kernel
   * @param {number[]} sigmas σ > 0, one a task.
   */
  constructor(kernel, sigmas, seed) {
    this.kernel = kernel;
    this.sigmas = sigmas;
    this.seed = seed;
    this.wide = sigmas.length * OUTPUTS;
    this.teacher = this.teach();
    this.test = this.fill(this.room(TEST), new Stream(kernel, seed, "toy test"));
    this.examples = this.room(BATCH);
  }

  /** The batch of step t; it holds until the next one is asked for. */
  batch(step) {
    return this.fill(this.examples, new Stream(this.kernel, this.seed, "toy batch", step));
  }

  /** (B + ε_i)ᵀ of all tasks beside each other, [INPUTS, T·OUTPUTS]. */
  teach() {
    const count = OUTPUTS * INPUTS;
    const teacher = this.kernel.floats(INPUTS * this.wide);
    const shared = new Stream(this.kernel, this.seed, "toy B").normal(Math.sqrt(SHARED_VARIANCE), count);
    this.sigmas.forEach((_, task) => {
      const own = new Stream(this.kernel, this.seed, "toy epsilon", task).normal(Math.sqrt(OWN_VARIANCE), count);
      for (let at = 0; at < count; at += 1) {
        const [output, input] = [Math.floor(at / INPUTS), at % INPUTS];
        teacher[input * this.wide + task * OUTPUTS + output] = shared[at] + own[at];
      }
    });
    return teacher;
  }

  /** @returns {Examples} */
  room(size) {
    return { inputs: this.kernel.floats(size * INPUTS), targets: this.kernel.floats(size * this.wide), size };
  }

  fill(examples, stream) {
    const { kernel, wide, sigmas } = this;
    const { inputs, targets, size } = examples;
    stream.fill(inputs);
    kernel.multiply({ a: inputs, row: INPUTS, column: 1, b: this.teacher, c: targets, m: size, k: INPUTS, n: wide });
    for (let at = 0; at < targets.length; at += 1) {
      targets[at] = Math.fround(sigmas[Math.floor((at % wide) / OUTPUTS)]) * Math.fround(Math.tanh(targets[at]));
    }
    return examples;
  }
}
