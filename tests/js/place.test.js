/** Where a reader of the static lesson is. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { onlyTried, Place } from "../../site/place.js";

const slider = (key, start, ...stops) => ({ key, label: key, slides: true, start, values: stops.map((value) => ({ value, text: `${value}!` })) });
const THIRD = { key: "third", label: "third", slides: false, start: "stuck", values: ["stuck", "solved"].map((value) => ({ value, text: value })) };
const STEPS = [
  { name: "data", slider: "sigma", across: false, right: 0, controls: [slider("sigma", "1", "1", "2", "8")] },
  { name: "limits", slider: "alpha", across: true, right: 1, controls: [THIRD, slider("alpha", "0", "0", "0.5", "1")] },
];

test("an address gives step and values, and the place writes the same address", () => {
  const place = new Place(STEPS, "?step=limits&alpha=0.5&third=solved&present=1&utm_source=x");
  assert.equal(place.step.name, "limits");
  assert.equal(place.picture, "solved 0.5");
  assert.equal(place.stop, 1);
  assert.equal(place.fault, "");
  assert.equal(place.query(null), "?step=limits&third=solved&alpha=0.5&present=1");
  assert.equal(place.query("de"), "?step=limits&third=solved&alpha=0.5&present=1&lang=de");
});

test("what an address says wrong is said, and only that falls back", () => {
  const place = new Place(STEPS, "?step=limits&alpha=7&third=solved");
  assert.equal(place.picture, "solved 0");
  assert.equal(place.fault, "There is no alpha = “7” here, so it is 0.");
  const lost = new Place(STEPS, "?step=nowhere&sigma=2");
  assert.equal(lost.step.name, "data");
  assert.match(lost.fault, /There is no step “nowhere”, so this is the first of 2/);
});

test("a bare address is the first step at its start", () => {
  const place = new Place(STEPS, "");
  assert.equal(place.picture, "1");
  assert.equal(place.query(null), "?step=data");
});

test("steps keep their values, what was tried and what was guessed", () => {
  const place = new Place(STEPS, "");
  place.slide(2);
  place.guess(1);
  place.go(1);
  assert.equal(place.picture, "stuck 0");
  place.go(-5);
  assert.equal(place.picture, "8");
  assert.deepEqual([...place.tried.data], ["1", "8"]);
  assert.equal(place.guesses.data, 1);
  assert.ok(place.open.has("data"));
  place.turn();
  assert.ok(!place.open.has("data"));
  place.turn();
  assert.ok(place.open.has("data"));
  place.go(99);
  assert.equal(place.step.name, "limits");
});

test("the best is that of the lowest score among those tried", () => {
  const place = new Place(STEPS, "");
  const scores = { 1: 3, 2: 1, 8: 2 };
  assert.equal(place.best(scores), "1!");
  place.slide(2);
  assert.equal(place.best(scores), "8!");
  place.slide(1);
  place.slide(0);
  assert.equal(place.best(scores), "2!");
  assert.equal(place.best({}), "");
});

test("points of stops that were not tried are left out; levels and other places stay", () => {
  const stems = { mode: "lines", x: ["equal", "equal", null, "0!", "0!", null, "1!", "1!", null], y: [1, 2, null, 3, 4, null, 5, 6, null] };
  const marks = { mode: "markers", name: "task 1", x: ["equal", "0!", "0.5!", "1!"], y: [1, 2, 3, 4] };
  const level = { mode: "lines", name: "GradNorm", x: ["0!", "1!"], y: [7, 7] };
  const [drawn, marked, kept] = onlyTried([stems, marks, level], STEPS[1].controls[1], new Set(["1"]));
  assert.deepEqual(drawn.x, ["equal", "equal", null, null, "1!", "1!", null]);
  assert.deepEqual(drawn.y, [1, 2, null, null, 5, 6, null]);
  assert.deepEqual([marked.x, marked.y], [["equal", "1!"], [1, 4]]);
  assert.equal(kept, level);
});
