/** Axis ranges and ticks, by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { horizon, linearTicks, logTicks, niceRange, niceStep } from "../../assets/live/ticks.js";

test("a step is 1, 2 or 5 times a power of ten, the next above span / wanted", () => {
  assert.equal(niceStep(10, 10), 1);
  assert.equal(niceStep(10, 6), 2); // 1.67
  assert.equal(niceStep(10, 4), 5); // 2.5
  assert.equal(niceStep(10, 1.5), 10); // 6.67
  assert.equal(niceStep(0.7, 5), 0.2); // 0.14
  assert.equal(niceStep(50, 0), 50); // at least one tick is wanted
});

test("linear ticks are round, inside the range, and free of rounding noise", () => {
  assert.deepEqual(linearTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks(0.05, 0.35, 3), [0.1, 0.2, 0.3]);
  assert.deepEqual(linearTicks(-3, 3, 3), [-2, 0, 2]);
});

test("log ticks are powers of ten, with digits between them where there is room", () => {
  assert.deepEqual(logTicks(1, 1000, 9), [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]);
  assert.deepEqual(logTicks(1, 1000, 5), [1, 3, 10, 30, 100, 300, 1000]);
  assert.deepEqual(logTicks(1, 1000, 3), [1, 10, 100, 1000]);
  assert.deepEqual(logTicks(1e-6, 1e6, 6), [1e-6, 1e-4, 1e-2, 1, 100, 1e4, 1e6]);
});

test("within one decade log ticks are linear ones, and none is zero", () => {
  assert.deepEqual(logTicks(2, 10, 4), [2, 4, 6, 8, 10]);
});

test("a linear range begins at zero unless the values lie close together", () => {
  assert.deepEqual(niceRange(1, 10, false), [0, 11]); // half-steps of 1; 10 + 3 % of 10 lies under 11
  const [low, high] = niceRange(9, 10, false); // half-steps of 0.1, a margin of 0.03
  assert.ok(Math.abs(low - 8.9) < 1e-9);
  assert.ok(Math.abs(high - 10.1) < 1e-9);
});

test("a range without values is a range all the same", () => {
  assert.deepEqual(niceRange(Infinity, -Infinity, false), [0, 1]);
  assert.deepEqual(niceRange(Infinity, -Infinity, true), [0.1, 10]);
  assert.deepEqual(niceRange(0, 0, false), [0, 0.1]); // as if the span were 1: half-steps of 0.1, and a margin of 0.03
});

test("a log range is rounded outward to tenths of a decade, over two decades to quarters", () => {
  const narrow = niceRange(1, 10, true).map(Math.log10);
  assert.ok(Math.abs(narrow[0] + 0.1) < 1e-9); // −0.02 → −0.1
  assert.ok(Math.abs(narrow[1] - 1.1) < 1e-9); // 1.02 → 1.1
  const wide = niceRange(1, 1000, true).map(Math.log10);
  assert.ok(Math.abs(wide[0] + 0.25) < 1e-9);
  assert.ok(Math.abs(wide[1] - 3.25) < 1e-9);
});

test("the horizon doubles as a run streams, and ends where the run does", () => {
  assert.equal(horizon(10, 1600, false), 100);
  assert.equal(horizon(101, 1600, false), 200);
  assert.equal(horizon(300, 1600, false), 400);
  assert.equal(horizon(800, 1600, false), 800);
  assert.equal(horizon(801, 1600, false), 1600);
  assert.equal(horizon(801, 1600, true), 801);
  assert.equal(horizon(0, 0, false), 1);
});
