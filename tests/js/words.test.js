/** Texts as scripts say them. What a language makes of them, tests/browser/test_german.py reads. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { enumerated, language, later, local, speak, t } from "../../assets/live/words.js";

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
