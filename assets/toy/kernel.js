/** The WebAssembly kernel with its one memory, in which all large arrays of the engine lie. */

const FLOAT = 4;

/** Hands out arrays of the kernel's memory. They are never given back: each race has a kernel of its own. */
export class Kernel {
  /** @param {WebAssembly.Module} module kernel.wasm, compiled. */
  constructor(module) {
    const { memory, ...exports } = /** @type {any} */ (new WebAssembly.Instance(module).exports);
    this.buffer = memory.buffer;
    this.exports = exports;
    this.taken = 0;
  }

  /** A new array of zeros. Throws RangeError where the 64 MiB are used up. */
  floats(count) {
    const made = new Float32Array(this.buffer, this.taken, count);
    this.taken += 16 * Math.ceil((count * FLOAT) / 16);
    return made;
  }

  /**
   * C ← keep·C + A·B for row-major B [k, n] and C [m, n]; m is even and n a multiple of 20.
   *
   * row, column: how many numbers of A lie between two of its rows, and two of its columns: (k, 1) for a row-major A,
   * (1, m) for the transpose of a row-major [k, m].
   */
  multiply({ a, row, column, b, c, m, k, n, keep = 0 }) {
    this.exports.multiply(a.byteOffset, row * FLOAT, column * FLOAT, b.byteOffset, c.byteOffset, m, k, n, keep);
  }

  /** x ← factor·x where the gate is above 0, and 0 elsewhere; both have a multiple of 4 numbers. */
  gate(x, gate, factor = 1) {
    this.exports.gate(x.byteOffset, gate.byteOffset, x.length, factor);
  }

  /** 8 random numbers of 32 bits for each of the blocks from `counter` on, as numpy's Philox draws them. */
  random([first, second], counter, blocks) {
    // Behind all arrays: what is there next may overwrite it.
    this.exports.philox(first, second, counter, this.taken, blocks);
    return new Uint32Array(this.buffer, this.taken, 8 * blocks).slice();
  }
}

/** Write the transpose of a row-major [rows, columns] to `out`. */
export function transpose(from, out, rows, columns) {
  for (let r = 0; r < rows; r += 1) {
    for (let c = 0, at = r; c < columns; c += 1, at += rows) out[at] = from[r * columns + c];
  }
}
