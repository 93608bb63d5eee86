/** The WebAssembly kernel against plain JavaScript, and its random streams against numpy's numbers. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import wabt from "wabt";

import { Kernel, transpose } from "../../assets/toy/kernel.js";
import { Stream } from "../../assets/toy/random.js";

const FOLDER = new URL("../../assets/toy/", import.meta.url);
const bytes = await readFile(new URL("kernel.wasm", FOLDER));
const kernel = new Kernel(new WebAssembly.Module(bytes));

/** An array of the kernel with numbers around 0. */
function filled(count, factor) {
  return set(kernel.floats(count), (i) => Math.sin(factor * (i + 1)));
}

function set(array, value) {
  for (let i = 0; i < array.length; i += 1) array[i] = value(i);
  return array;
}

test("kernel.wasm is what kernel.wat says", async () => {
  const text = await readFile(new URL("kernel.wat", FOLDER), "utf8");
  const { buffer } = (await wabt()).parseWat("kernel.wat", text).toBinary({});
  assert.deepEqual(Buffer.from(buffer), bytes, "run: npm run kernel");
});

test("a product keeps what it is told of C, also with a transposed A", () => {
  const [m, k, n] = [6, 7, 40];
  const [a, b, c] = [filled(m * k, 1), filled(k * n, 2), filled(m * n, 3)];
  const turned = kernel.floats(m * k);
  transpose(a, turned, m, k);
  const sum = (i) => Array.from({ length: k }, (_, q) => a[Math.floor(i / n) * k + q] * b[q * n + (i % n)]).reduce((x, y) => x + y);
  const wanted = Array.from(c, (value, i) => 0.5 * value + sum(i));
  kernel.multiply({ a: turned, row: 1, column: m, b, c, m, k, n, keep: 0.5 });
  wanted.forEach((value, i) => assert.ok(Math.abs(c[i] - value) < 1e-5));
  // What C holds before does not count where nothing is kept, whatever it is.
  c.fill(NaN);
  kernel.multiply({ a, row: k, column: 1, b, c, m, k, n });
  c.forEach((value, i) => assert.ok(Math.abs(value - sum(i)) < 1e-5));
});

test("a gate lets through where it is above 0", () => {
  const x = set(kernel.floats(4), (i) => i + 1);
  kernel.gate(x, set(kernel.floats(4), (i) => [1, 0, -1, NaN][i]), 2);
  assert.deepEqual([...x], [2, 0, 0, 0]);
});

test("the memory's end is an error", () => {
  assert.throws(() => kernel.floats(2 ** 24), RangeError);
});

// Each number is printed by gradnorm.common.randomness.stream.
test("streams are numpy's", () => {
  const single = new Stream(kernel, 3, "toy batch", 7).fill(new Float32Array(4));
  assert.deepEqual([...single], [1.1469335556030273, 0.08923870325088501, 1.6746439933776855, 0.03779914975166321]);
  const double = new Stream(kernel, 0, "toy B").normal(2, 3);
  [-1.199159548081321, -2.1793638470655803, -1.5013877819989674].forEach((x, i) => assert.ok(Math.abs(double[i] - x) < 1e-13));
});

test("streams stay numpy's through the corners and the tail of the ziggurat", () => {
  const sum = (values) => values.reduce((x, y) => x + y, 0);
  const single = Array.from(new Stream(kernel, 1, "toy test").fill(new Float32Array(100_000)));
  assert.ok(Math.abs(single[44923] + 4.568287) < 1e-6);
  assert.ok(Math.abs(sum(single) + 675.560216919961) < 1e-3);
  assert.ok(Math.abs(sum(single.map((x) => x * x)) - 99979.79471870416) < 1e-2);
  const double = Array.from(new Stream(kernel, 1, "toy test").normal(1, 100_000));
  assert.ok(Math.abs(double[71979] + 4.250110303923405) < 1e-12);
  assert.ok(Math.abs(sum(double) + 650.5986084979957) < 1e-8);
});
