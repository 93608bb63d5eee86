/** The site's settings, as the address and the fields spell them, and the verdict on a race. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { defaults, fromQuery, labAddress, read, specsOf, toQuery, withTasks } from "../../site/settings.js";
import { verdict } from "../../site/verdict.js";

const option = (title, kind, low, high, choices = []) => ({ title, kind, low, high, choices });
const DECLARED = {
  options: {
    alpha: option("Asymmetry α", "number", 0, 5),
    update: option("Weight update", "choice", null, null, ["closed", "log"]),
    seed: option("Seed", "integer", 0, 9),
    learning_rate: option("Learning rate", "number", 0, 10),
    sigmas: option("Loss scales σ", "numbers", null, null),
  },
  methods: { gradnorm: { spec: { method: "gradnorm", alpha: 0.12, update: "closed", seed: 0, learning_rate: 1e-3, sigmas: [], width: 100 } }, equal: { spec: { method: "equal", seed: 0, learning_rate: 1e-3, sigmas: [] } } },
  start: { alpha: 0.12, update: "closed", seed: 0, learning_rate: 1e-3, sigmas: [1, 100] },
  sigmas: [2, 3, 4],
};
const settled = (query) => {
  const settings = defaults(DECLARED);
  return { faults: fromQuery(new URLSearchParams(query), DECLARED, settings), settings };
};

test("an address gives back what was written, and holds what differs from the defaults alone", () => {
  assert.equal(toQuery(defaults(DECLARED), defaults(DECLARED)), "");
  const settings = { ...defaults(DECLARED), alpha: 1.5, sigmas: [1, 2, 3], race: ["equal"] };
  const query = toQuery(settings, defaults(DECLARED));
  assert.equal(query, "alpha=1.5&sigmas=1,2,3&race=equal");
  assert.deepEqual(settled(query), { settings, faults: [] });
});

test("a number of tasks without σ takes the declared ones", () => {
  assert.deepEqual(settled("tasks=3").settings.sigmas, [2, 3, 4]);
  assert.deepEqual(withTasks([1, 100], 3, DECLARED), [1, 100, 4]);
  assert.deepEqual(withTasks([1, 100], 1, DECLARED), [1]);
});

test("foreign parts of an address are left alone, and each bad part is said and falls back", () => {
  const { settings, faults } = settled("utm_source=x&alpha=9&seed=1.5&update=adam&learning_rate=0&sigmas=1,-1&race=equal,best&tasks=99");
  assert.deepEqual(settings, defaults(DECLARED));
  assert.deepEqual(faults, [
    "Asymmetry α should be a number from 0 to 5. Found “9”.",
    "Weight update should be closed or log. Found “adam”.",
    "Seed should be a whole number from 0 to 9. Found “1.5”.",
    "Learning rate should be a number above 0 and up to 10. Found “0”.",
    "Loss scales σ should be 1 to 3 numbers from 0.000001 to 1000000, with commas between. Found “1,-1”.",
    "Contenders should be of gradnorm, equal. Found “best”.",
  ]);
  assert.throws(() => read("seed", " ", DECLARED), /Found “ ”/);
});

test("a spec has the options of its method alone, and so has the lab's address", () => {
  const settings = { ...defaults(DECLARED), race: ["equal", "gradnorm"], alpha: 1 };
  const [equal, gradnorm] = specsOf(settings, DECLARED);
  assert.deepEqual(equal, { method: "equal", seed: 0, learning_rate: 1e-3, sigmas: [1, 100], tasks: 2 });
  assert.deepEqual([gradnorm.alpha, gradnorm.width], [1, 100]);
  assert.equal(labAddress("http://lab/", settings, DECLARED), "http://lab/?dataset=toy&method=equal&tasks=2&seed=0&learning_rate=0.001&sigmas=1,100&race=equal,gradnorm");
});

const evaluation = (step, ratios) => ({ step, loss_ratios: ratios, task_normalized_loss: ratios.reduce((a, b) => a + b) });
const result = (title, ...ratios) => ({ title, evaluations: [evaluation(0, ratios.map(() => 1)), evaluation(4000, ratios)] });

test("a verdict names the winner, who gained and who paid", () => {
  assert.equal(
    verdict([result("Equal weights", 0.7, 0.43), result("GradNorm", 0.45, 0.5)]),
    "Winner: GradNorm. After 4,000 steps Σ Lᵢ/Lᵢ(0) is 0.950 on the test set, with Equal weights 1.13. Task 1 gains most (0.450 of its first loss is left, not 0.700). Task 2 pays for it (0.500, not 0.430).",
  );
  assert.match(verdict([result("A", 0.5, 0.5), result("B", 0.6, 0.6)]), /No task pays for it\.$/);
  assert.equal(verdict([result("A", 0.5), result("B", 0.6)]), "Winner: A. After 4,000 steps Σ Lᵢ/Lᵢ(0) is 0.500 on the test set, with B 0.600.");
});

test("a contender that broke off is not compared", () => {
  const broken = { title: "B", evaluations: [evaluation(0, [0.1, 0.1])] };
  assert.match(verdict([result("A", 0.5, 0.5), broken]), /^A: after 4,000 steps/);
});

test("a verdict tells which loss rose most on the way", () => {
  const drowned = { title: "Equal weights", evaluations: [evaluation(0, [1, 1]), evaluation(1200, [20, 1.1]), evaluation(4000, [0.7, 0.43])] };
  assert.match(verdict([result("GradNorm", 0.45, 0.5), drowned]), /On the way task 1 rose to 20\.0 times its first loss with Equal weights, at step 1,200\.$/);
});

test("a verdict on one run tells what is left; on runs that were lost, nothing", () => {
  assert.equal(verdict([result("GradNorm", 0.5, 0.5)]), "GradNorm: after 4,000 steps Σ Lᵢ/Lᵢ(0) is 1.00 on the test set, where 2 were at the start.");
  assert.equal(verdict([{ title: "A", evaluations: [] }, { title: "B", evaluations: [evaluation(0, [NaN])] }]), "");
});
