/** The random streams of gradnorm/common/randomness.py but for rounding: numpy's SeedSequence, Philox and ziggurat. */

const BLOCKS = 512;
const WORDS = 8 * BLOCKS;
// Of the ziggurat of 256 levels (Marsaglia and Tsang, 2000): where its tail begins, and the area of a level.
const TAIL = 3.6541528853610088;
const AREA = 0.004928673233974658;
const SINGLE = ziggurat(23, Math.fround);
const DOUBLE = ziggurat(52, (x) => x);

/** Normal numbers of one purpose: a function of (seed, name, index) alone. */
export class Stream {
  /** @param {import("./kernel.js").Kernel} kernel */
  constructor(kernel, seed, name, ...index) {
    this.kernel = kernel;
    this.key = keyOf([seed, crc32(name), ...index]);
    this.counter = 1n;
    this.words = new Uint32Array(WORDS);
    this.at = WORDS;
  }

  /** Fill an array with N(0, 1), as numpy's standard_normal in single precision; returns it. */
  fill(out) {
    for (let i = 0; i < out.length; i += 1) {
      let value = NaN;
      while (value !== value) value = this.single();
      out[i] = value;
    }
    return out;
  }

  /** Numbers of N(0, deviation²), as numpy's normal in double precision. */
  normal(deviation, count) {
    return Float64Array.from({ length: count }, () => {
      let value = NaN;
      while (value !== value) value = this.double();
      return deviation * value;
    });
  }

  next() {
    if (this.at === WORDS) {
      this.words = this.kernel.random(this.key, this.counter, BLOCKS);
      this.counter += BigInt(BLOCKS);
      this.at = 0;
    }
    this.at += 1;
    return this.words[this.at - 1];
  }

  single() {
    const bits = this.next();
    const level = bits & 0xff;
    const size = bits >>> 9;
    const x = Math.fround((bits & 0x100 ? -size : size) * SINGLE.widths[level]);
    return size < SINGLE.safe[level] ? x : outside(SINGLE, level, x, size, () => (this.next() >>> 8) / 2 ** 24);
  }

  double() {
    const low = this.next();
    const size = (this.next() & 0x1fffffff) * 2 ** 23 + (low >>> 9);
    const level = low & 0xff;
    const x = (low & 0x100 ? -size : size) * DOUBLE.widths[level];
    return size < DOUBLE.safe[level] ? x : outside(DOUBLE, level, x, low >>> 9, () => this.unit());
  }

  unit() {
    const low = this.next();
    return (this.next() * 2 ** 21 + (low >>> 11)) / 2 ** 53;
  }
}

/** A number that lies in the corner of its level or in the tail; NaN where another has to be drawn. */
function outside({ heights, round }, level, x, size, unit) {
  if (level) {
    const height = round(round(round(heights[level - 1] - heights[level]) * unit()) + heights[level]);
    return height < Math.exp(-0.5 * x * x) ? x : NaN;
  }
  for (;;) {
    const beyond = -Math.log1p(-unit()) / TAIL;
    const drop = -Math.log1p(-unit());
    if (drop + drop > beyond * beyond) return size & 0x100 ? -(TAIL + beyond) : TAIL + beyond;
  }
}

/** The tables of a ziggurat for sizes of so many bits: its levels' widths, what of them lies below the curve, heights. */
function ziggurat(bits, round) {
  const density = (x) => Math.exp(-0.5 * x * x);
  const x = new Float64Array(256);
  x[255] = TAIL;
  for (let i = 254; i > 0; i -= 1) x[i] = Math.sqrt(-2 * Math.log(AREA / x[i + 1] + density(x[i + 1])));
  x[0] = AREA / density(TAIL);
  const safe = x.map((edge, i) => (i ? Math.round((x[i - 1] / edge) * 2 ** bits) : Math.round((TAIL / edge) * 2 ** bits)));
  safe[1] = 0;
  const heights = x.map((edge, i) => round(i ? density(edge) : 1));
  return { round, safe, heights, widths: x.map((edge) => round(edge / 2 ** bits)) };
}

/**
 * Philox's key for the entropy of numpy's SeedSequence: numbers from 0 to 2³² − 1.
 * @returns {[bigint, bigint]}
 */
function keyOf(entropy) {
  const pool = mixed(entropy);
  let by = 0x8b51f9dd;
  const words = [0, 1, 2, 3].map((i) => {
    const value = pool[i] ^ by;
    by = Math.imul(by, 0x58f38ded);
    return BigInt(folded(Math.imul(value, by)));
  });
  return [words[0] | (words[1] << 32n), words[2] | (words[3] << 32n)];
}

function mixed(entropy) {
  let by = 0x43b0d7e5;
  const hash = (value) => {
    const start = value ^ by;
    by = Math.imul(by, 0x931e8875);
    return folded(Math.imul(start, by));
  };
  const mix = (x, y) => folded(Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y));
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < 4; from += 1) {
    for (let to = 0; to < 4; to += 1) if (to !== from) pool[to] = mix(pool[to], hash(pool[from]));
  }
  for (const value of entropy.slice(4)) for (let to = 0; to < 4; to += 1) pool[to] = mix(pool[to], hash(value));
  return pool;
}

function folded(value) {
  return ((value >>> 0) ^ (value >>> 16)) >>> 0;
}

function crc32(text) {
  let sum = -1;
  for (const byte of new TextEncoder().encode(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
