/** Lines as canvas paths: what the pen does, in pixels worked out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { extent, linePath, ownPath } from "../../assets/live/paths.js";
import { Rows } from "../../assets/live/series.js";

/** A pen that writes down what it does, in place of the browser's. */
class Pen {
  constructor() {
    this.done = [];
  }

  moveTo(x, y) {
    this.done.push(["move", round(x), round(y)]);
  }

  lineTo(x, y) {
    this.done.push(["line", round(x), round(y)]);
  }
}
globalThis.Path2D = /** @type {any} */ (Pen);

const round = (value) => Math.round(value * 1e6) / 1e6;

/** A plot 10 pixels wide and 100 high, of steps 0 … `last` and values 0 … 10 (log: 1 … 100). */
function plot(xs, ys, { last = 10, log = false } = {}) {
  const y = log ? { min: 1, max: 100, distr: 3 } : { min: 0, max: 10, distr: 1 };
  return {
    data: [Float32Array.from(xs), Float32Array.from(ys)],
    bbox: { left: 0, top: 0, width: 10, height: 100 },
    scales: { x: { min: 0, max: last }, y },
    series: [{}, {}],
  };
}

const drawn = (u) => linePath(u, 1, 0, u.data[0].length - 1).stroke.done;

test("a point is a pixel: x from the left, y from the top", () => {
  assert.deepEqual(drawn(plot([0, 5, 10], [0, 10, 5])), [["move", 0, 100], ["line", 5, 0], ["line", 10, 50]]);
});

test("a log scale gives each decade the same height", () => {
  assert.deepEqual(drawn(plot([0, 5, 10], [1, 10, 100], { log: true })), [["move", 0, 100], ["line", 5, 50], ["line", 10, 0]]);
});

test("what is no number, and on a log scale what is not positive, is a gap; a lone point is a dot", () => {
  assert.deepEqual(drawn(plot([0, 2, 4, 6], [5, NaN, 5, 5])), [
    ["move", 0, 50], ["move", -1.5, 50], ["line", 1.5, 50], // the dot, three pixels wide
    ["move", 4, 50], ["line", 6, 50],
  ]);
  assert.deepEqual(drawn(plot([0, 2, 4], [0, 10, 10], { log: true })), [["move", 2, 50], ["line", 4, 50]]);
});

test("a crowded pixel column draws its first, lowest, highest and last value", () => {
  // 40 points over 10 pixels: four to a column.
  const xs = Array.from({ length: 40 }, (_, i) => i);
  const ys = xs.map((x) => [5, 1, 9, 4][x % 4]);
  const done = drawn(plot(xs, ys, { last: 40 }));
  assert.deepEqual(done.slice(0, 4), [["move", 0.5, 50], ["line", 0.5, 90], ["line", 0.5, 10], ["line", 0.5, 60]]);
  assert.equal(done.length, 4 * 10);
  assert.deepEqual(done.at(-1), ["line", 9.5, 60]);
});

test("a crowded line breaks where nothing was measured", () => {
  const xs = Array.from({ length: 40 }, (_, i) => i);
  const ys = xs.map((x) => (x >= 8 && x < 12 ? NaN : 5));
  const moves = drawn(plot(xs, ys, { last: 40 })).filter(([what]) => what === "move");
  assert.deepEqual(moves, [["move", 0.5, 50], ["move", 3.5, 50]]);
});

test("what is measured at every tenth step alone is drawn as dots, and as a line where each column has some", () => {
  const each = (count, every) => Array.from({ length: count }, (_, i) => (i % every === 3 ? 5 : NaN));
  const steps = (count) => Array.from({ length: count }, (_, i) => i);
  // Four steps to a column: every third column has one that was measured.
  assert.deepEqual(drawn(plot(steps(40), each(40, 12), { last: 40 })).filter(([what]) => what === "line"), [
    ["line", 2, 50], ["line", 5, 50], ["line", 8, 50], ["line", 11, 50],
  ]);
  // Forty to a column: four in each.
  const done = drawn(plot(steps(400), each(400, 10), { last: 400 }));
  assert.deepEqual(done, [["move", 0.5, 50], ...Array.from({ length: 9 }, (_, i) => ["line", i + 1.5, 50])]);
});

test("a run behind another is drawn as means over three pixels", () => {
  const rows = new Rows(2);
  const pairs = Array.from({ length: 40 }, (_, i) => [i, i % 2 ? 4 : 6]);
  rows.append(Float32Array.from(pairs.flat()), 40, 1);
  const u = plot([], [], { last: 40 });
  u.data[1] = rows.view(1);
  const { done } = ownPath(u, 1, rows, true).stroke;
  assert.deepEqual(done, [["move", 1.5, 50], ["line", 4.5, 50], ["line", 7.5, 50], ["line", 10.5, 50]]);
});

test("the extent widens by what can be drawn", () => {
  const range = [Infinity, -Infinity];
  extent(Float32Array.from([3, NaN, -1, Infinity, 7]), 0, 5, false, range);
  assert.deepEqual(range, [-1, 7]);
  const positive = [Infinity, -Infinity];
  extent(Float32Array.from([0, -1, 2, 8, 99]), 0, 4, true, positive);
  assert.deepEqual(positive, [2, 8]);
});
