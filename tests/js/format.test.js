/** Numbers and durations as they are written for a reader. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { count, duration, rate, significant, stepTick, tick } from "../../assets/live/format.js";

test("counts have thousands separators; what is unknown is a dash", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(count(999.6), "1,000");
  assert.equal(count(NaN), "–");
  assert.equal(count(undefined), "–");
});

test("numbers keep four digits, at every size", () => {
  assert.equal(significant(0), "0");
  assert.equal(significant(1.23456), "1.235");
  assert.equal(significant(13310), "13310");
  assert.equal(significant(0.00012345), "1.23e−4");
  assert.equal(significant(123456), "1.23e5");
  assert.equal(significant(-2.5, 2), "−2.5");
});

test("a number that was not measured, or is none, is told from zero", () => {
  assert.equal(significant(null), "–");
  assert.equal(significant(NaN), "–");
  assert.equal(significant(Infinity), "∞");
  assert.equal(significant(-Infinity), "−∞");
});

test("tick labels are as short as the value allows", () => {
  assert.equal(tick(0), "0");
  assert.equal(tick(0.5), "0.5");
  assert.equal(tick(-20), "−20");
  assert.equal(tick(100000), "1e5");
  assert.equal(tick(0.00025), "2.5e−4");
});

test("steps on the axis are shortened once they would crowd it", () => {
  assert.equal(stepTick(9500), "9,500");
  assert.equal(stepTick(10000), "10k");
  assert.equal(stepTick(12500), "12.5k");
  assert.equal(stepTick(2500000), "2.5M");
});

test("durations leave out what is nothing", () => {
  assert.equal(duration(-3), "0 s");
  assert.equal(duration(59.4), "59 s");
  assert.equal(duration(200), "3 min 20 s");
  assert.equal(duration(180), "3 min");
  assert.equal(duration(7500), "2 h 5 min");
  assert.equal(duration(7200), "2 h");
});

test("rates have the digits that matter at their size", () => {
  assert.equal(rate(1234.5), "1,235");
  assert.equal(rate(9.87), "9.9");
  assert.equal(rate(0.0456), "0.046");
});
