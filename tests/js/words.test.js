/** Texts as scripts say them. What a language makes of them, tests/browser/test_german.py reads. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { enumerated, language, later, local, said, speak, t } from "../../assets/live/words.js";

test("values are put where their names stand, as they are", () => {
  assert.equal(t("{won} of {count} tasks", { won: 2, count: "{won}" }), "2 of {won} tasks");
  assert.equal(t("no value"), "no value");
  assert.equal(later("said later"), "said later");
});

test("English numbers stay as they were written", () => {
  assert.equal(local("1,234.5"), "1,234.5");
  assert.equal(enumerated(["a 0.5", "b 1"]), "a 0.5, b 1");
});

test("a language without a table leaves the page in English", async () => {
  await speak("xx");
  assert.equal(language(), "en");
  assert.equal(t("{count} more", { count: local("1.5") }), "1.5 more");
});

const LOST = { template: "The loss of '{task}' is {loss:.3g} at {step:,}.", values: { task: { template: "task {number}", values: { number: ["1"] } }, loss: "nan", step: ["1,200"] } };

test("what the server tells of a run is filled in as it says", () => {
  assert.equal(said(LOST), "The loss of 'task 1' is nan at 1,200.");
  assert.equal(said("My own words {step}."), "My own words {step}.");
  assert.equal(said({ template: "A name with {braces}", values: {} }), "A name with {braces}");
});

test("what the server tells of a run is said in the reader's language, its numbers too", async (context) => {
  const table = { [LOST.template]: "{task}: {loss:.3g} bei {step:,}.", "task {number}": "Task {number}" };
  context.mock.method(globalThis, "fetch", async () => ({ ok: true, json: async () => table }));
  await speak("de");
  context.after(() => speak("en"));
  assert.equal(said(LOST), "Task 1: nan bei 1.200.");
  assert.equal(said("task 1"), "task 1");
});
