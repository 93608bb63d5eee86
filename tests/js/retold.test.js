/** Sentences that are kept with a run. tests/browser/test_german.py reads them in German. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { retold } from "../../assets/live/retold.js";
import { speak } from "../../assets/live/words.js";

const KEPT = [
  "Finished all 1,200 steps.",
  "Finished all 1,200 steps, which are 3.2 epochs. The network is the best one, of step 1,100.",
  "Finished after 300 of 1,200 steps, without a better validation loss.",
  "The loss of 'task 1' became nan at step 12. Try a learning rate ten times lower, or standardised targets.",
  "Its process ended at step 4. All records are kept.",
  "cpu, 2 runs as one program",
];

test("in English a sentence stays as it is, and so does one that is not known", () => {
  for (const text of [...KEPT, "My own words. Finished all 3 steps.", ""]) assert.equal(retold(text), text);
});

test("each sentence is found, with its numbers written as the language writes them", async (context) => {
  const table = {
    "Finished all {steps} steps, which are {epochs} epochs.": "{steps} Schritte, {epochs} Epochen.",
    "The network is the best one, of step {step}.": "Das beste Netz, von {step}.",
    "The loss of {task} became {value} at step {step}.": "{task}: {value} bei {step}.",
    "{device}, {count} runs as one program": "{device}, {count} auf einmal",
  };
  context.mock.method(globalThis, "fetch", async () => ({ ok: true, json: async () => table }));
  await speak("de");
  context.after(() => speak("en"));
  assert.equal(retold(KEPT[1]), "1.200 Schritte, 3,2 Epochen. Das beste Netz, von 1.100.");
  assert.equal(retold(KEPT[3]), "'task 1': nan bei 12. Try a learning rate ten times lower, or standardised targets.");
  assert.equal(retold(KEPT[5]), "cpu, 2 auf einmal");
});
