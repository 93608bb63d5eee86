/** The lines of a chart: which are drawn, how strongly, and which row the cursor is at. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { grid, linesOf, presence, rowAt, tasksOf } from "../../assets/live/lines.js";
import { Rows } from "../../assets/live/series.js";

function rows(steps, stride = 1) {
  const made = new Rows(1);
  made.append(Float32Array.from(steps), steps.length, stride);
  return made;
}

const task = (name, light) => ({ name, dash: [1, 2], color: { light, dark: light } });

test("the cursor is at the nearest row, and nowhere beyond a stride of the run's ends", () => {
  const held = rows([10, 20, 30], 10);
  assert.equal(rowAt(held, 14), 0);
  assert.equal(rowAt(held, 15), 1, "halfway is the later row");
  assert.equal(rowAt(held, 40), 2);
  assert.equal(rowAt(held, 41), -1);
  assert.equal(rowAt(held, 0), 0);
  assert.equal(rowAt(held, -1), -1);
  assert.equal(rowAt(new Rows(1), 5), -1);
});

test("the steps of several runs are the first one's, with others' before and behind them", () => {
  assert.deepEqual([...grid([rows([3, 4]), rows([1, 2, 3]), rows([3, 4, 5])])], [1, 2, 3, 4, 5]);
  assert.deepEqual([...grid([rows([]), rows([7, 8])])], [7, 8]);
  assert.deepEqual([...grid([])], []);
});

test("the run that is pointed at keeps its ink, the others fade", () => {
  const lead = {}, other = {};
  const panel = (spot, tasks = 2) => ({ shared: true, lead, tasks: new Array(tasks), choices: { spot } });
  assert.equal(presence({ member: other, task: 0 }, { ...panel(null), shared: false }), 1);
  assert.equal(presence({ member: other, task: 0 }, panel(other)), 1);
  assert.equal(presence({ member: lead, task: 0 }, panel(other)), 0.14);
  assert.equal(presence({ member: lead, task: 0 }, panel(null)), 1);
  assert.equal(presence({ member: other, task: -1 }, panel(null)), 1);
  assert.equal(presence({ member: other, task: 0 }, panel(null)), 0.5);
  assert.equal(presence({ member: other, task: 0 }, panel(null, 4)), 0.26);
});

test("where dashes tell runs apart, a second task of one hue is toned", () => {
  const run = { tasks: [task("a", "#f00"), task("b", "#f00"), task("c", "#0f0")] };
  assert.equal(tasksOf(run, false), run.tasks);
  const [a, b, c] = tasksOf(run, true);
  assert.deepEqual([a.color.light, a.dash], ["#f00", []]);
  assert.equal(b.color.light, "color-mix(in srgb, #f00 62%, black)");
  assert.equal(c.color.light, "#0f0");
});

const VIEW = { lines: () => [{ column: 1, task: 0, label: "a", width: 1 }, { column: 2, task: 0, label: "goal", kind: "target", dash: [3, 3] }] };

function member(label, run) {
  return { label, key: label[0], dash: [9], run, history: { layout: {}, continues: (other) => other === run } };
}

test("a run alone is drawn in its tasks' dashes", () => {
  const run = { tasks: [task("a", "#f00")] };
  const lead = member("one", run);
  const lines = linesOf({ lead, members: [lead], shared: false, run }, VIEW, false);
  assert.deepEqual(lines.map(({ dash }) => dash), [[1, 2], [3, 3]]);
});

test("of runs behind another only what was measured is drawn, and the one in front comes last", () => {
  const run = { tasks: [task("a", "#f00")] };
  const [lead, behind, stranger] = [member("one", run), member("two", run), member("three", {})];
  const lines = linesOf({ lead, members: [lead, behind, stranger], shared: true, run }, VIEW, false);
  assert.deepEqual(lines.map(({ label }) => label), ["t two, a", "o one, a", "o one, goal"]);
  assert.deepEqual(lines.map(({ dash }) => dash), [[9], [9], [3, 3]]);
  assert.equal(lines[1].width, 1.2);
});
