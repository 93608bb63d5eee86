/** The arrows of the network, the lines of Algorithm 1, and a replay: what they make of the numbers of a step. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { lines, measured } from "../../assets/live/algorithm.js";
import { lengths } from "../../assets/live/network.js";
import { reached } from "../../assets/live/replay.js";
import { Rows } from "../../assets/live/series.js";

test("arrows are in proportion to the norms, and the longest is full", () => {
  const [a, b] = lengths([5, 10]);
  assert.equal(2 * a, b);
  assert.ok(Number.isNaN(lengths([NaN, 1])[0]), "not measured: no arrow");
  assert.deepEqual(lengths([0, 0]).map(Number.isNaN), [true, true]);
  const [small, large] = lengths([1e-9, 1]);
  assert.ok(small > 0 && small < large, "one that is tiny is still seen");
});

const run = { tasks: [{ name: "a" }, { name: "b" }] };
const layout = { step: 0, alpha: 1, imbalance: 2, weights: 3, gradient_norms: 5, targets: 7, losses: 9, loss_ratios: 11, relative_rates: 13 };

function history(targets) {
  const rows = new Rows(15);
  rows.append(Float32Array.from([
    [1, 0.5, 4, 1, 1, 2, 6, ...targets, 10, 20, 1, 0.5, 1.25, 0.75],
    [2, 0.5, 4, 1.5, 0.5, 3, 3, ...targets, 9, 18, 1, 0.5, 1.25, 0.75],
  ].flat()), 2, 1);
  return { rows, layout, run };
}

test("a step has the numbers of its row, and the weights of the next one", () => {
  const now = measured(history([4, 4]), 0);
  assert.deepEqual([now.step, now.next, now.alpha], [1, 2, 0.5]);
  assert.deepEqual(now.norms, [2, 6]);
  assert.deepEqual(now.later, [1.5, 0.5]);
  const all = lines(now);
  assert.deepEqual(all.map(({ key }) => key), ["losses", "norms", "ratios", "rates", "targets", "imbalance", "step", "weights"]);
  assert.equal(all[1].total.value, 4, "the mean of 2 and 6");
  assert.equal(all.at(-1).formula, "wᵢ(2)");
});

test("the newest step does not know the next weights, and a method without targets has fewer lines", () => {
  assert.ok(!lines(measured(history([4, 4]), 1)).some(({ key }) => key === "weights"));
  const none = measured({ ...history([NaN, NaN]), layout: { ...layout, imbalance: -1 } }, 0);
  assert.deepEqual(lines(none).map(({ key }) => key), ["losses", "norms", "ratios", "rates", "step", "weights"]);
});

test("a replay has reached the rows up to a step", () => {
  const values = Float32Array.from([4, 0, 8, 0, 12, 0]);
  assert.equal(reached(values, 2, 0, 3), 0);
  assert.equal(reached(values, 2, 0, 8), 2);
  assert.equal(reached(values, 2, 2, Infinity), 3);
});
