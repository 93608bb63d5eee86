/** A scale that jumps by itself is said: what the reader asked for is no news, and nothing is said twice or too often. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Crier } from "../../assets/live/crier.js";
import { Shift } from "../../assets/live/shift.js";

const element = () => ({ dataset: {}, textContent: "", setAttribute() {}, append() {} });
globalThis.document = /** @type {any} */ ({ createElement: element });

/** A chart's Shift, and what it said. */
function heard() {
  const said = [];
  return { said, shift: new Shift({ crier: { say: (sentence) => said.push(sentence) } }) };
}

test("a scale that turns logarithmic, values and steps that jump are said; what grows little by little is not", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { said, shift } = heard();
  shift.watch("Loss weights", [0, 100], [0, 2], false);
  shift.watch("Loss weights", [0, 100], [0, 2.5], false);
  assert.deepEqual(said, [], "the first scales, and a little more");
  shift.watch("Loss weights", [0, 100], [0, 20], false);
  shift.watch("Loss weights", [0, 200], [0, 20], false);
  shift.watch("Loss weights", [0, 200], [0.1, 100], true);
  assert.deepEqual(said, [
    "Loss weights: the values go from 0 to 20 now.",
    "In the charts steps up to 200 are shown now.",
    "Loss weights: the scale is logarithmic now, since the values lie far apart.",
  ]);
  assert.equal(shift.words.textContent, "The scale is logarithmic now, since the values lie far apart");
  assert.equal(shift.node.dataset.shown, "");
  mock.timers.tick(5000);
  assert.equal(shift.node.dataset.shown, undefined, "the note at the chart goes by itself");
  mock.timers.reset();
});

test("scales that the reader asked for are no news", () => {
  const { said, shift } = heard();
  shift.watch("Loss weights", [0, 100], [0, 2], false);
  shift.expect();
  shift.watch("Loss weights", [40, 50], [0.1, 100], true);
  assert.deepEqual(said, []);
});

test("one sentence after another, each once, and six seconds apart", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const crier = new Crier();
  for (const sentence of ["One.", "One.", "Two.", "Three."]) crier.say(sentence);
  mock.timers.tick(0);
  assert.equal(crier.node.textContent, "Two. Three.", "what is old is left out");
  crier.say("Three.");
  crier.say("Four.");
  mock.timers.tick(5000);
  assert.equal(crier.node.textContent, "Two. Three.");
  mock.timers.tick(1100);
  assert.equal(crier.node.textContent, "Four.");
  mock.timers.reset();
});
