/** Of many tasks, which are drawn one by one; and the outline of a band. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { columns } from "../../assets/live/bands.js";
import { Crowd, matter, MOST_LINES } from "../../assets/live/crowd.js";

const tasks = (count, value) => Array.from({ length: count }, (_, i) => value(i));

test("half of the tasks drawn have the largest weights, the others the largest loss ratios", () => {
  const weights = tasks(64, (i) => i);
  const ratios = tasks(64, (i) => 1 / (i + 1));
  assert.deepEqual([...matter(weights, ratios)].sort((a, b) => a - b), [0, 1, 2, 3, 4, 59, 60, 61, 62, 63]);
});

test("a task of large weight that is stuck counts once, and as many are drawn", () => {
  const same = tasks(40, (i) => i);
  assert.deepEqual([...matter(same, same)].sort((a, b) => a - b), tasks(MOST_LINES, (i) => 30 + i));
});

test("a task that is drawn stays while it is close to those that matter", () => {
  const weights = tasks(40, (i) => i);
  const ratios = tasks(40, () => 0);
  assert.ok(matter(weights, ratios, new Set([33])).has(33));
  assert.ok(!matter(weights, ratios, new Set([20])).has(20));
  assert.ok(matter(weights, ratios, new Set([33])).has(39));
});

test("what was not measured matters least", () => {
  const chosen = matter(tasks(40, () => NaN), tasks(40, (i) => (i === 7 ? NaN : i)));
  assert.equal(chosen.size, MOST_LINES);
  assert.ok(chosen.has(39));
});

test("those that were brought forward are drawn besides, and the rest is counted", () => {
  const run = { tasks: tasks(64, (i) => ({ name: `task ${i + 1}` })) };
  const layout = { weights: 1, loss_ratios: 65 };
  const rows = { count: 1, newest: (column) => (column >= 65 ? 0 : column) };
  const crowd = new Crowd({ run, history: { run, rows, layout }, choices: { forward: new Set([30]), hidden: new Set([2]) } });
  assert.ok(crowd.choose(true));
  assert.ok(!crowd.choose(true));
  assert.equal(crowd.drawn.length, MOST_LINES + 1);
  assert.ok(crowd.drawn.includes(30));
  assert.equal(crowd.others.length, 64 - crowd.drawn.length - (crowd.drawn.includes(2) ? 0 : 1));
  assert.match(crowd.remark, /of largest L\/L\(0\).*range of 5\d others/);
});

test("up to as many tasks are all drawn", () => {
  const crowd = new Crowd({ run: { tasks: tasks(MOST_LINES, () => ({})) }, history: null, choices: { forward: new Set(), hidden: new Set() } });
  assert.deepEqual([crowd.folds, crowd.drawn.length, crowd.others, crowd.remark, crowd.choose()], [false, MOST_LINES, [], "", false]);
});

test("a band's outline has the extremes of each pixel column, and a piece for each side of a gap", () => {
  const [low, high] = [[1, 0, 3, NaN, 2], [2, 5, 4, NaN, 3]];
  const pieces = columns([0, 1, 2, 3, 4], low, high, (step) => Math.floor(step / 2), 0, 5);
  assert.deepEqual(pieces, [[{ at: 0, low: 0, high: 5 }, { at: 1, low: 3, high: 4 }], [{ at: 2, low: 2, high: 3 }]]);
});
