/** The lines of a chart: which are drawn, how strongly, and which row the cursor is at. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { bandsOf, grid, linesOf, presence, remarks, rowAt, tasksOf } from "../../assets/live/lines.js";
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
  const panel = (spot, tasks = 2) => ({ shared: true, entrant: lead, tasks: new Array(tasks), choices: { spot } });
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

const VIEW = { lines: () => [{ column: 1, task: 0, label: "a", width: 1 }, { column: 2, task: 1, label: "b", width: 1 }, { column: 3, task: 0, label: "goal", kind: "target", dash: [3, 3] }] };
const RUN = { tasks: [task("a", "#f00"), task("b", "#0f0")] };

function member(label, run = RUN) {
  const color = { light: label, dark: label };
  return { label, key: label[0], dash: [9], color, run, history: { layout: {}, evaluationLayout: {}, continues: (other) => other === run } };
}

function shown(entrants, choices = {}, drawn = [0, 1]) {
  const [lead] = entrants;
  return { lead, entrant: lead, entrants, shared: entrants.length > 1, run: lead.run, crowd: { drawn, folds: false }, choices: { task: 0, byContender: false, ...choices } };
}

test("a run alone is drawn in its tasks' dashes, but for tasks that a band stands for", () => {
  assert.deepEqual(linesOf(shown([member("one")]), VIEW, false).map(({ dash }) => dash), [[1, 2], [1, 2], [3, 3]]);
  assert.deepEqual(linesOf(shown([member("one")], {}, [1]), VIEW, false).map(({ task: which }) => which), [1]);
});

test("of runs behind another only what was measured is drawn, and the one in front comes last", () => {
  const lines = linesOf(shown([member("one"), member("two"), member("three", {})]), VIEW, false);
  assert.deepEqual(lines.map(({ label }) => label), ["t two, a", "t two, b", "o one, a", "o one, b", "o one, goal"]);
  assert.deepEqual(lines.map(({ dash }) => dash), [[9], [9], [9], [9], [3, 3]]);
  assert.ok(lines.every(({ color }) => color === undefined));
  assert.equal(lines[2].width, 1.2);
});

test("where colour tells contenders apart, each has one line, of the task that is shown", () => {
  const both = shown([member("one"), member("two")], { byContender: true, task: 1 });
  const lines = linesOf(both, VIEW, false);
  assert.deepEqual(lines.map(({ label, color, sole }) => [label, color.light, sole]), [["t two, b", "two", true], ["o one, b", "one", true]]);
  assert.deepEqual(remarks(both, VIEW), ["of b alone"]);
});

test("in a chart of sums each contender has a colour, whatever colours tell apart", () => {
  const view = { overall: true, lines: () => [{ column: 2, task: 0, label: "a", width: 1 }, { column: 1, task: -1, label: "sum", width: 2 }] };
  for (const byContender of [false, true]) {
    const lines = linesOf(shown([member("one"), member("two")], { byContender }), view, true);
    assert.deepEqual(lines.map(({ label, color }) => [label, color.light]), [["t two, sum", "two"], ["o one, sum", "one"]]);
  }
});

test("a mean over seeds has a band from the least to the greatest of them, and says so", () => {
  const edges = { low: (column) => [column], high: (column) => [column + 1] };
  const team = { ...member("one"), members: [{}, {}], rows: () => edges };
  const both = shown([team, member("two")], { byContender: true });
  const lines = linesOf(both, VIEW, false);
  const bands = bandsOf(both, VIEW, false, lines);
  assert.deepEqual(bands.map(({ line, of }) => [line.label, of().low, of().high]), [["o one, a", [1], [2]]]);
  assert.match(remarks(both, VIEW)[1], /means over seeds.*least to greatest/);
});
