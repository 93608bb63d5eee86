/** Races on the toy without a browser: what is told of each run, and when. Python's numbers: tests/site/test_agreement.py. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Race } from "../../assets/toy/race.js";
import { columns, row } from "../../assets/toy/run.js";

const module = new WebAssembly.Module(await readFile(new URL("../../assets/toy/kernel.wasm", import.meta.url)));
const SPEC = { method: "gradnorm", heads: "own", alpha: 0.12, update: "closed", half_life: 300, weight_learning_rate: 0.01, sigmas: [1, 10], seed: 0, steps: 6, eval_every: 4, learning_rate: 1e-3 };
const EQUAL = { method: "equal", heads: "weighted", sigmas: [1, 10], seed: 0, steps: 6, eval_every: 4, learning_rate: 1e-3 };

/** A race, and what has been told of each of its runs. */
function raced(specs) {
  const told = specs.map(() => []);
  return { race: new Race(module, specs, (place, message) => told[place].push(message)), told };
}

const kinds = (messages) => messages.map(({ type, state }) => state ?? type);

test("each run is evaluated before its first step, at every so many steps, and at its end", () => {
  const { race, told } = raced([SPEC, EQUAL]);
  while (!race.over) race.step();
  for (const messages of told) {
    const records = (count) => new Array(count).fill("record");
    assert.deepEqual(kinds(messages), ["evaluations", ...records(4), "evaluations", ...records(2), "evaluations", "finished"]);
    assert.equal(messages.at(-1).message, "Finished all 6 steps.");
    assert.deepEqual(messages.filter(({ rows }) => rows).map(({ rows }) => rows[0].step), [0, 4, 6]);
  }
});

test("contenders start from the same network and see the same batches", () => {
  const { race, told } = raced([SPEC, EQUAL]);
  race.step();
  const [mine, other] = told.map((messages) => messages.find(({ type }) => type === "record").record);
  assert.deepEqual(mine.losses, other.losses);
  assert.deepEqual(mine.gradient_norms, other.gradient_norms);
  assert.equal(columns(2).length, row(mine).length);
  // What a method does not have is a gap.
  assert.deepEqual([other.alpha, other.imbalance], [undefined, undefined]);
  assert.ok(row(other).slice(1, 3).every(Number.isNaN));
});

test("a live change acts from the next step on, on those that have the option, and is told once", () => {
  const { race, told } = raced([SPEC, EQUAL]);
  race.step();
  race.retune({ alpha: 1.5 });
  race.retune({ alpha: 1.5 });
  race.step();
  const [mine, other] = told;
  const events = mine.filter(({ type }) => type === "events");
  assert.deepEqual(events.map(({ known, rows: [{ step, key, label }] }) => [known, step, key, label]), [[0, 2, "alpha", "α 1.5"]]);
  assert.deepEqual(mine.filter(({ type }) => type === "record").map(({ record }) => record.alpha), [0.12, 1.5]);
  assert.ok(!kinds(other).includes("events"));
});

test("a run that diverges says so, and the others go on", () => {
  const { race, told } = raced([{ ...EQUAL, learning_rate: 10 }, SPEC]);
  while (!race.over) race.step();
  const [lost, sound] = told;
  assert.equal(lost.at(-1).state, "diverged");
  assert.match(lost.at(-1).message, /^The loss of 'task \d' became (NaN|Infinity) at step \d\. Try a learning rate ten times lower\.$/);
  assert.equal(sound.at(-1).state, "finished");
});

test("GradNorm's weights sum to T; with α = 0 both targets are one, and the norms come near it", () => {
  const { race, told } = raced([{ ...SPEC, alpha: 0, half_life: 1, steps: 40, eval_every: 40 }]);
  while (!race.over) race.step();
  const records = told[0].filter(({ type }) => type === "record").map(({ record }) => record);
  for (const { weights, targets } of records) {
    assert.ok(Math.abs(weights[0] + weights[1] - 2) < 1e-12);
    assert.equal(targets[0], targets[1]);
  }
  const [first, second] = records.at(-1).gradient_norms;
  assert.ok(Math.abs(Math.log(first / second)) < 0.5, `${first} ${second}`);
});
