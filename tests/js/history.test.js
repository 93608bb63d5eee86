/** What the panel holds of a run: rows once, evaluations once, and whether a message is about the same run. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../assets/live/history.js";

const COLUMNS = ["step", "gradient_norms.0", "gradient_norms.1", "alpha"];
const RUN = { columns: COLUMNS, tasks: [{ name: "a" }, { name: "b" }], stride: 2, metrics: ["r2"] };
const WIDTH = COLUMNS.length;

const block = (rows, stride = 2) => ({ count: rows.length, width: WIDTH, stride, values: Float32Array.from(rows.flat()) });
const evaluation = (step, total) => ({ step, task_normalized_loss: total, loss_ratios: [total / 4, null], losses: [1, 2], metrics: [{ r2: 0.5 }, {}] });

test("columns are found by their names, and the mean of the norms comes behind them", () => {
  const history = new History(RUN, 0);
  assert.equal(history.layout.gradient_norms, 1);
  assert.equal(history.layout.alpha, 3);
  assert.equal(history.layout.losses, -1);
  history.append(block([[2, 3, 5, 0.5]]));
  assert.equal(history.rows.newest(history.layout.mean), 4);
});

test("blocks of another width, and empty ones, are not taken", () => {
  const history = new History(RUN, 0);
  assert.equal(history.append({ count: 1, width: WIDTH + 1, stride: 1, values: new Float32Array(WIDTH + 1) }), false);
  assert.equal(history.append(block([])), false);
  assert.equal(history.last(), 0);
});

test("an evaluation is taken once, as a flat row", () => {
  const history = new History(RUN, 0);
  history.evaluate([evaluation(0, 2), evaluation(10, 1)]);
  history.evaluate([evaluation(10, 9), evaluation(20, 0.5)]);
  const { total, loss_ratios: ratios, losses, metrics } = history.evaluationLayout;
  assert.deepEqual([...history.evaluations.view(0)], [0, 10, 20]);
  assert.deepEqual([...history.evaluations.view(total)], [2, 1, 0.5]);
  assert.deepEqual([...history.evaluations.view(ratios)], [0.5, 0.25, 0.125]);
  assert.ok(Number.isNaN(history.evaluations.newest(ratios + 1)), "null was not measured");
  assert.equal(history.evaluations.newest(losses + 1), 2);
  assert.equal(history.evaluations.newest(metrics), 0.5);
  assert.equal(history.last(), 20);
});

test("live rows go behind the finer rows of a zoomed range, too", () => {
  const history = new History(RUN, 0);
  history.append(block([[2, 1, 1, 1], [4, 2, 2, 1]]));
  history.refine(block([[3, 1.5, 1.5, 1], [4, 2, 2, 1]], 1));
  history.append(block([[6, 3, 3, 1]]));
  assert.deepEqual([...history.detail.view(0)], [2, 3, 4, 6]);
  assert.deepEqual([...history.rows.view(0)], [2, 4, 6]);
});

test("a run with other columns is another run; other metrics empty the evaluations", () => {
  const history = new History(RUN, 0);
  history.evaluate([evaluation(0, 2)]);
  assert.equal(history.continues({ ...RUN, columns: [...COLUMNS, "more"] }), false);
  assert.equal(history.continues({ ...RUN }), true);
  assert.equal(history.describe({ ...RUN }), false);
  assert.equal(history.evaluations.count, 1);
  assert.equal(history.describe({ ...RUN, metrics: ["r2", "rmse"] }), true);
  assert.equal(history.evaluations.count, 0);
  assert.equal(history.evaluationLayout.width, 2 + 2 * 2 + 2 * 2);
});

test("tasks that are held from the start are marked there, and live changes where they were made", () => {
  const history = new History({ ...RUN, held: [2], forked_at: 150 }, 0);
  history.change([{ step: 160, key: "hold", value: [1, 2], label: "hold 1, 2" }], 0);
  assert.deepEqual(history.marks(history.rows).map(({ step, label }) => [step, label]), [[151, "hold 2"], [160, "hold 1, 2"]]);
});
