/** Runs that differ in the seed as one line, and how contenders are told apart. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { common, MeanRows, Spread } from "../../assets/live/means.js";
import { COLORS, DASHES, markings } from "../../assets/live/marking.js";
import { Rows } from "../../assets/live/series.js";
import { entrantsOf } from "../../assets/live/team.js";

function rows(...values) {
  const made = new Rows(values[0].length);
  made.append(Float32Array.from(values.flat()), values.length, 1);
  return made;
}

test("the mean, least and greatest are those of the steps that all have", () => {
  const runs = [rows([1, 2, 5], [2, 4, NaN], [3, 6, 1]), rows([1, 4, 7], [2, 8, NaN])];
  const mean = new MeanRows(() => runs);
  assert.deepEqual([...mean.view(0)], [1, 2]);
  assert.deepEqual([[...mean.view(1)], [...mean.low(1)], [...mean.high(1)]], [[3, 6], [2, 4], [4, 8]]);
  assert.deepEqual([[...mean.view(2)], mean.newestRow(2), mean.newest(2), mean.newest(1)], [[6, NaN], 0, 6, 6]);
  assert.deepEqual([mean.count, mean.last(), mean.find(2), mean.stride], [2, 2, 1, 1]);
  // What comes is taken in.
  runs[1].append(Float32Array.from([3, 2, 3]), 1, 1);
  assert.deepEqual([mean.count, mean.newest(1), mean.newest(2)], [3, 4, 2]);
});

test("a mean over smoothed lines is the mean of what each shows", () => {
  const runs = [rows([1, 0], [2, 8]), rows([1, 2], [2, 2])];
  const mean = new MeanRows(() => runs);
  const raw = mean.newest(1);
  for (const each of runs) each.setSmoothing(0.5);
  const shown = runs.map((each) => each.view(1)[1]);
  assert.notEqual(mean.newest(1), raw);
  assert.equal(mean.raw(1).at(-1), raw);
  assert.equal(mean.newest(1), (shown[0] + shown[1]) / 2);
});

test("a run that has other steps is averaged at those in common", () => {
  const lists = [[1, 2, 3, 4], [2, 4, 6]].map((list) => Float32Array.from(list));
  const [steps, places] = common(lists);
  assert.deepEqual([[...steps], [...places[0]], [...places[1]]], [[2, 4], [1, 3], [0, 1]]);
  assert.deepEqual(common([]), [new Float32Array(0), []]);
});

test("the range of many tasks is from their least to their greatest", () => {
  const held = rows([1, 3, 1, 9], [2, NaN, 4, 2]);
  const spread = new Spread(held, [1, 2]);
  assert.deepEqual([[...spread.low()], [...spread.high()]], [[1, 4], [3, 4]]);
  held.append(Float32Array.from([3, 7, 8, 0]), 1, 1);
  assert.deepEqual([spread.low()[2], spread.high()[2]], [7, 8]);
});

const entries = (count, methods, seeds) =>
  Array.from({ length: count * seeds }, (_, i) => {
    const which = i % count;
    return { run: `run ${i}`, label: `way ${which} seed ${Math.floor(i / count)}`, team: `way ${which}`, method: `method ${which % methods}` };
  });

test("runs that differ in the seed share a letter, a dash and a colour's hue", () => {
  const marks = markings(entries(3, 3, 2));
  assert.deepEqual(marks.map(({ key }) => key), ["A1", "B1", "C1", "A2", "B2", "C2"]);
  assert.deepEqual(marks.map(({ teamColor }) => teamColor), [0, 1, 2, 0, 1, 2].map((i) => COLORS[i]));
  assert.equal(new Set(marks.map(({ color }) => color.light)).size, 6);
  assert.ok(marks[0].color.light.includes(COLORS[0].light) && marks[3].color.light.includes(COLORS[0].light));
  assert.deepEqual(marks[3].dash, marks[0].dash);
  assert.deepEqual(markings([{ run: "a" }, { run: "b" }]).map(({ key, color }) => [key, color]), [["A", COLORS[0]], ["B", COLORS[1]]]);
});

test("of more contenders than colours the method is the hue, and 64 differ in colour and key", () => {
  const marks = markings(entries(64, 4, 1));
  assert.equal(new Set(marks.map(({ key }) => key)).size, 64);
  assert.deepEqual([marks[25].key, marks[26].key, marks[63].key], ["Z", "AA", "BL"]);
  assert.equal(new Set(marks.map(({ color }) => color.light)).size, 64);
  assert.equal(new Set(marks.map(({ color }) => color.dark)).size, 64);
  for (const [i, { color }] of marks.entries()) assert.ok(color.light.includes(COLORS[i % 4].light), color.light);
});

// Machado, Oliveira and Fernandes (2009), severity 1, on linear light.
const EYES = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, part, i) => sum + part * vector[i], 0));
const linear = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
const luminance = (color) => linear(color).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);

function oklab(light) {
  const cones = times([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]], light.map((part) => Math.min(1, Math.max(0, part))));
  return times([[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]], cones.map(Math.cbrt));
}

for (const [page, ground] of [["light", "#ffffff"], ["dark", "#0e1117"]]) {
  test(`the contenders' colours on a ${page} page are told apart by all eyes, and from the page`, () => {
    const colors = COLORS.map((color) => color[page]);
    for (const [eyes, matrix] of Object.entries(EYES)) {
      const seen = colors.map((color) => oklab(times(matrix, linear(color))));
      for (let i = 0; i < seen.length; i += 1)
        for (let j = 0; j < i; j += 1) {
          const apart = 100 * Math.hypot(...seen[i].map((part, k) => part - seen[j][k]));
          assert.ok(apart >= 5.8, `${eyes}: ${colors[i]} and ${colors[j]} are ${apart.toFixed(1)} apart`);
        }
    }
    for (const color of colors) {
      const [low, high] = [luminance(color), luminance(ground)].sort((a, b) => a - b);
      assert.ok((high + 0.05) / (low + 0.05) >= 3, `${color} is faint`);
    }
  });
}

function members(count, seeds) {
  const list = entries(count, count, seeds);
  const marks = markings(list);
  return list.map((entry, i) => {
    const history = { run: {}, continues: () => true };
    return { entry, mark: marks[i], key: marks[i].key, state: "running", step: 10 + i, history, final: false, rows: () => rows([1, i]) };
  });
}

test("what is drawn is each run, or the mean of those that differ in the seed", () => {
  const runs = members(2, 3);
  assert.equal(entrantsOf(runs, false).length, 6);
  const [a, b] = entrantsOf(runs, true);
  assert.deepEqual([a.key, a.label, a.seeds, a.state, a.step, b.key], ["A", "way 0", "3 seeds", "running", 10, "B"]);
  assert.deepEqual([a.rows(false).newest(1), b.rows(true).newest(1)], [2, 3]);
  assert.deepEqual([a.includes(runs[2]), a.includes(runs[3])], [true, false]);
});

test("a seed that diverged is left out of the mean, and counted", () => {
  const runs = members(1, 3);
  const [team] = entrantsOf(runs, true);
  runs[2].state = "diverged";
  assert.deepEqual([team.rows(false).newest(1), team.seeds, team.state], [0.5, "2 of 3 seeds", "2 running, 1 diverged"]);
  for (const run of runs) run.state = "diverged";
  assert.deepEqual([team.rows(false).newest(1), team.seeds], [1, "3 seeds"]);
});

test("dashes are for as many as an eye tells apart", () => {
  assert.ok(entrantsOf(members(DASHES.length, 1), true).every(({ dash }, i) => dash === DASHES[i]));
  assert.ok(entrantsOf(members(DASHES.length + 1, 1), true).every(({ dash }) => !dash.length));
});
