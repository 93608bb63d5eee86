/** Columnar buffers: rows come once each, smoothing is a moving average, gaps stay gaps. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Rows, refine } from "../../assets/live/series.js";
import { LIGHT } from "../../assets/live/smoothing.js";

/** Rows of (step, value) pairs. */
function filled(pairs, options, stride = 1) {
  const rows = new Rows(2, options);
  rows.append(Float32Array.from(pairs.flat()), pairs.length, stride);
  return rows;
}

const column = (rows, c = 1) => [...rows.view(c)];

test("rows that are sent twice replace those held", () => {
  const rows = filled([[1, 10], [2, 20], [3, 30]]);
  rows.append(Float32Array.from([3, 31, 4, 40]), 2, 1);
  assert.deepEqual(column(rows, 0), [1, 2, 3, 4]);
  assert.deepEqual(column(rows), [10, 20, 31, 40]);
});

test("a newest row between strides gives way", () => {
  const rows = filled([[1, 1], [4, 4], [8, 8], [9, 9]], {}, 4); // 9 is the newest, and no multiple of 4
  rows.append(Float32Array.from([12, 12]), 1, 4);
  assert.deepEqual(column(rows, 0), [1, 4, 8, 12]);
});

test("find gives the first row at or behind a step", () => {
  const rows = filled([[2, 0], [4, 0], [6, 0]]);
  assert.deepEqual([1, 2, 3, 6, 7].map((step) => rows.find(step)), [0, 0, 1, 2, 3]);
});

test("an empty buffer has no newest value", () => {
  const rows = new Rows(2);
  assert.equal(rows.last(-1), -1);
  assert.ok(Number.isNaN(rows.newest(1)));
});

test("the newest value is the last that was measured", () => {
  const rows = filled([[1, 10], [2, NaN], [3, 30], [4, NaN], [5, NaN]]);
  assert.equal(rows.newest(1), 30);
  assert.equal(rows.newestRow(1), 2);
  assert.equal(rows.newest(0), 5);
  assert.ok(Number.isNaN(filled([[1, NaN], [2, NaN]]).newest(1)));
  assert.ok(Number.isNaN(rows.newest(-1)));
  rows.truncate(0);
  assert.equal(rows.newestRow(1), -1);
});

test("smoothing weighs each value by the factor, and what is not there yet by nothing", () => {
  const rows = filled([[1, 8], [2, 0], [3, 4]]);
  rows.setSmoothing(0.5);
  // 8; (8·½ + 0) / (½ + 1); (8·¼ + 0·½ + 4) / (¼ + ½ + 1)
  assert.deepEqual(column(rows), [8, 8 / 3, 24 / 7].map(Math.fround));
  assert.deepEqual(column(rows, 0), [1, 2, 3], "steps are never smoothed");
  assert.deepEqual([...rows.raw(1)], [8, 0, 4], "what was measured stays");
});

test("a light smoothing does not cling to the first value, and ends near the newest", () => {
  const rows = filled(Array.from({ length: 60 }, (_, i) => [i + 1, i ? 1 : 100]));
  rows.setSmoothing(LIGHT);
  const smooth = column(rows);
  assert.equal(smooth[0], 100);
  assert.ok(smooth[15] < 1.5 && Math.abs(smooth.at(-1) - 1) < 1e-3, smooth.join());
  const rising = filled(Array.from({ length: 60 }, (_, i) => [i + 1, i]));
  rising.setSmoothing(LIGHT);
  assert.ok(rising.raw(1).at(-1) - column(rising).at(-1) < 3, "it lags by less than three rows");
});

test("smoothing goes on where it was when rows are appended", () => {
  const all = [[1, 3], [2, 7], [3, 1], [4, 9]];
  const whole = filled(all);
  whole.setSmoothing(0.9);
  const grown = filled(all.slice(0, 2));
  grown.setSmoothing(0.9);
  grown.view(1);
  grown.append(Float32Array.from(all.slice(2).flat()), 2, 1);
  assert.deepEqual(column(grown), column(whole));
});

test("smoothing steps over a gap and leaves it a gap", () => {
  const rows = filled([[1, 8], [2, NaN], [3, 0]]);
  rows.setSmoothing(0.5);
  assert.deepEqual(column(rows), [8, NaN, Math.fround(8 / 3)]);
});

test("rows at a finer stride forget as much over the same number of steps", () => {
  const rows = filled([[4, 16], [8, 0], [9, 0]], {}, 4);
  rows.setSmoothing(0.0625);
  // A stride of 4 keeps 1/16; a single step keeps its fourth root, 1/2.
  const weight = { first: 15 / 16, second: (15 / 16) * (1 / 16) + 15 / 16 };
  const second = (weight.first * 16) / 16 / weight.second;
  const third = ((second * weight.second) / 2) / (weight.second / 2 + 1 / 2);
  const [, found, newest] = column(rows);
  assert.ok(Math.abs(found - second) < 1e-6 && Math.abs(newest - third) < 1e-6, `${found} ${newest}`);
});

test("the mean of columns is a column, and marks stand where alpha changed", () => {
  const rows = new Rows(4, { alpha: 3, mean: { first: 1, count: 2 } });
  rows.append(Float32Array.from([1, 2, 4, 0.5, 2, 6, 8, 0.5, 3, 0, 1, 1.5]), 3, 1);
  assert.deepEqual(column(rows, 4), [3, 7, 0.5]);
  assert.deepEqual(rows.marks, [{ index: 2, step: 3, alpha: 1.5 }]);
});

test("a buffer grows past its first capacity", () => {
  const pairs = Array.from({ length: 1500 }, (_, i) => [i + 1, i]);
  const rows = filled(pairs);
  assert.equal(rows.count, 1500);
  assert.equal(rows.newest(1), 1499);
});

test("a zoomed range has finer rows between those around it", () => {
  const base = filled([[4, 40], [8, 80], [12, 120], [16, 160]], {}, 4);
  const fine = refine(base, Float32Array.from([7, 70, 8, 80, 9, 90]), 3, 1);
  assert.deepEqual(column(fine, 0), [4, 7, 8, 9, 12, 16]);
  assert.deepEqual(column(fine), [40, 70, 80, 90, 120, 160]);
});
