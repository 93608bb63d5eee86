/** The view in the page's address: what is written is read again, and what is no view counts as none. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { readView, withView } from "../../assets/live/address.js";
import { LIGHT } from "../../assets/live/smoothing.js";

const VIEW = { run: "r1", front: "r2", zoom: { min: 74.82, max: 149.65 }, smoothing: 0.6, hidden: new Set([1, 4]), forward: new Set([40]), task: 2, colour: "contender", each: true, log: { weights: true, norms: false }, more: "rates", sort: { by: "accuracy.2", down: true } };

test("a view is read as it was written, beside the settings", () => {
  const search = withView("?tasks=3&run=r1&view.zoom=1-2", VIEW);
  assert.match(search, /^\?tasks=3&run=r1&/);
  assert.deepEqual(readView(search), VIEW);
  assert.equal(withView(search, readView(search)), search);
});

test("what is as usual is not in the address", () => {
  assert.equal(withView("?tasks=3&view.smooth=0.5", readView("?tasks=3")), "?tasks=3");
  assert.equal(readView("?tasks=3").smoothing, LIGHT);
});

test("an address of before lines were smoothed by themselves means what it meant", () => {
  assert.equal(readView("?run=r1&view.zoom=1-2").smoothing, 0);
  assert.equal(readView("?run=r1&view.smooth=0.6").smoothing, 0.6);
  const raw = { ...readView("?run=r1"), smoothing: 0 };
  assert.equal(withView("?run=r1", raw), "?run=r1&view.smooth=0");
  assert.equal(readView(withView("?run=r1", { ...raw, smoothing: LIGHT, more: "rates" })).smoothing, LIGHT);
});

test("the order of the race's table is a column, with a minus where it is downwards", () => {
  const view = readView("?run=r1&view.sort=sum");
  assert.deepEqual(view.sort, { by: "sum", down: false });
  assert.match(withView("?run=r1", { ...view, sort: { by: "ratio.1", down: true } }), /&view\.sort=-ratio\.1$/);
  assert.doesNotMatch(withView("?run=r1&view.sort=sum", { ...view, sort: { by: null, down: false } }), /view\.sort/);
});

test("what is no view counts as not said", () => {
  const odd = "?view.zoom=9-3&view.smooth=2&view.hidden=0,x,1.5&view.log=nothing&view.linear=,&view.chart=test&view.colour=red&view.task=0&view.seeds=some&view.forward=-1&view.sort=ratio.0";
  assert.deepEqual(readView(odd), readView(""));
  assert.equal(readView("?view.smooth=NaN").smoothing, LIGHT);
});
