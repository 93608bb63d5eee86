/** The toy's network of gradnorm/models/mlp.py: four shared layers of 100 units, the last of which is W, and a head a task. */
import { BATCH, INPUTS, OUTPUTS, TEST } from "./data.js";
import { transpose } from "./kernel.js";
import { Stream } from "./random.js";

const UNITS = 100;
const SHARED = 4;
const W = SHARED - 1;
const HEADS = SHARED;
const MOMENTUM = 0.9;

/** @typedef {import("./kernel.js").Kernel} Kernel */

/** What a pass needs and no run keeps: all networks of a race use the same room in turn. */
export class Room {
  /** @param {Kernel} kernel */
  constructor(kernel, tasks) {
    const wide = tasks * OUTPUTS;
    this.outputs = [UNITS, UNITS, UNITS, UNITS, wide].map((width) => kernel.floats(TEST * width));
    // ∂L/∂outputs of all heads; its slopes by W's output, of all tasks and of one; and what goes down.
    this.slopes = kernel.floats(BATCH * wide);
    this.delta = kernel.floats(BATCH * UNITS);
    this.own = kernel.floats(BATCH * UNITS);
    this.below = kernel.floats(BATCH * UNITS);
    this.byWeight = kernel.floats(UNITS * UNITS);
    this.transposed = kernel.floats(UNITS * Math.max(UNITS, wide));
  }
}

/** One run's parameters, with SGD's velocities beside them. */
export class Network {
  /**
   * @param {Kernel} kernel
   * @param {Room} room
   */
  constructor(kernel, room, tasks, seed) {
    this.kernel = kernel;
    this.room = room;
    this.tasks = tasks;
    this.layers = Array.from({ length: SHARED }, (_, i) => this.layer(i ? UNITS : INPUTS, UNITS));
    this.layers.push(this.layer(UNITS, tasks * OUTPUTS));
    for (let i = 0; i < SHARED; i += 1) this.draw(this.layers[i], 0, UNITS, new Stream(kernel, seed, "initial layer", i));
    for (let i = 0; i < tasks; i += 1) {
      this.draw(this.layers[HEADS], i * OUTPUTS, OUTPUTS, new Stream(kernel, seed, "initial head", i));
    }
  }

  /** Weights are [inputs, outputs], the transpose of torch's. */
  layer(inputs, outputs) {
    const room = (count) => this.kernel.floats(count);
    return { inputs, outputs, weights: room(inputs * outputs), biases: room(outputs), velocity: room(inputs * outputs), biasVelocity: room(outputs) };
  }

  /** He's initialisation of some of a layer's outputs. */
  draw({ inputs, outputs, weights }, first, count, stream) {
    const drawn = stream.normal(Math.sqrt(2 / inputs), count * inputs);
    for (let at = 0; at < drawn.length; at += 1) weights[(at % inputs) * outputs + first + Math.floor(at / inputs)] = drawn[at];
  }

  /** The heads' outputs [size, T·OUTPUTS] for inputs [size, INPUTS]; they hold until a next pass. */
  forward(inputs, size) {
    let x = inputs;
    this.layers.forEach((layer, i) => {
      const out = this.room.outputs[i].subarray(0, size * layer.outputs);
      for (let at = 0; at < out.length; at += layer.outputs) out.set(layer.biases, at);
      this.kernel.multiply({ a: x, row: layer.inputs, column: 1, b: layer.weights, c: out, m: size, k: layer.inputs, n: layer.outputs, keep: 1 });
      if (i < HEADS) this.kernel.gate(out, out);
      x = out;
    });
    return x;
  }

  /**
   * Add the gradient of the last `forward`'s batch to 0.9 times the velocities; return ‖∇_W‖₂ of each task.
   *
   * room.slopes: ∂L_i/∂outputs, as the heads are to get it.
   * factors: what each task's gradient is multiplied by where it leaves its head.
   */
  backward(inputs, factors) {
    const { outputs, slopes, delta, below } = this.room;
    this.accumulate(HEADS, outputs[W], slopes);
    const norms = this.atW(factors);
    let [above, free] = [delta, below];
    for (let i = W - 1; i >= 0; i -= 1) {
      this.down(i + 1, above, free);
      [above, free] = [free, above];
      this.accumulate(i, i ? outputs[i - 1] : inputs, above);
    }
    return norms;
  }

  /** Take each task's own gradient at W; the room's delta is then Σ_i ∂L_i/∂Z. */
  atW(factors) {
    const { kernel, tasks, room } = this;
    const { outputs, slopes, delta, own, byWeight, transposed } = room;
    const { velocity, biasVelocity } = this.layers[W];
    const wide = tasks * OUTPUTS;
    transpose(this.layers[HEADS].weights, transposed, UNITS, wide);
    delta.fill(0);
    scale(velocity, MOMENTUM);
    scale(biasVelocity, MOMENTUM);
    return factors.map((factor, task) => {
      const head = transposed.subarray(task * OUTPUTS * UNITS);
      kernel.multiply({ a: slopes.subarray(task * OUTPUTS), row: wide, column: 1, b: head, c: own, m: BATCH, k: OUTPUTS, n: UNITS });
      kernel.gate(own, outputs[W], factor);
      added(own, delta);
      kernel.multiply({ a: outputs[W - 1], row: 1, column: UNITS, b: own, c: byWeight, m: UNITS, k: BATCH, n: UNITS });
      return Math.sqrt(added(byWeight, velocity) + added(sums(own, UNITS), biasVelocity));
    });
  }

  /** Write the gradient by the output of the layer below to `out`. */
  down(above, delta, out) {
    const { weights, inputs, outputs } = this.layers[above];
    transpose(weights, this.room.transposed, inputs, outputs);
    this.kernel.multiply({ a: delta, row: outputs, column: 1, b: this.room.transposed, c: out, m: BATCH, k: outputs, n: inputs });
    this.kernel.gate(out, this.room.outputs[above - 1]);
  }

  accumulate(layer, inputs, delta) {
    const { inputs: m, outputs: n, velocity, biasVelocity } = this.layers[layer];
    this.kernel.multiply({ a: inputs, row: 1, column: m, b: delta, c: velocity, m, k: BATCH, n, keep: MOMENTUM });
    scale(biasVelocity, MOMENTUM);
    added(sums(delta, n), biasVelocity);
  }

  /** Move all parameters along their velocities. */
  move(rate) {
    for (const { weights, biases, velocity, biasVelocity } of this.layers) {
      for (let at = 0; at < weights.length; at += 1) weights[at] -= rate * velocity[at];
      for (let at = 0; at < biases.length; at += 1) biases[at] -= rate * biasVelocity[at];
    }
  }
}

function scale(values, by) {
  for (let at = 0; at < values.length; at += 1) values[at] *= by;
}

/** Add values to others, and return the sum of their squares. */
function added(values, to) {
  let squares = 0;
  for (let at = 0; at < values.length; at += 1) {
    squares += values[at] * values[at];
    to[at] += values[at];
  }
  return squares;
}

/** The sums of columns of a row-major array. */
function sums(values, columns) {
  const found = new Float64Array(columns);
  for (let at = 0; at < values.length; at += columns) for (let c = 0; c < columns; c += 1) found[c] += values[at + c];
  return found;
}
