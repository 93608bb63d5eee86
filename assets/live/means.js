/** Several runs' rows as one: the mean, the least and the greatest of each column, at the steps that all of them have. */
import { lowest } from "./series.js";

const STEP = 0;

/** Reads like `Rows`. `sources` gives the rows to be averaged, which may be others from one time to the next. */
export class MeanRows {
  constructor(sources) {
    this.sources = sources;
    /** @type {import("./series.js").Rows[]} */
    this.rows = [];
    this.versions = [];
    /** @type {Float32Array} */
    this.steps = new Float32Array(0);
    /** For each of the rows where the steps are in it; see `common`. @type {(Int32Array | null)[]} */
    this.places = [];
    this.columns = new Map();
  }

  get count() {
    return this.fresh().steps.length;
  }

  get stride() {
    return Math.max(1, ...this.fresh().rows.map(({ stride }) => stride));
  }

  /** By column: whether any of the runs has measured it. */
  get measured() {
    const { rows } = this.fresh();
    return Uint8Array.from(rows[0]?.measured ?? [], (_, column) => (rows.some(({ measured }) => measured[column]) ? 1 : 0));
  }

  last(otherwise = 0) {
    return this.fresh().steps.at(-1) ?? otherwise;
  }

  /** Index of the first row whose step is at least `step`. */
  find(step) {
    return lowest(this.fresh().steps, step);
  }

  newestRow(column) {
    if (column < 0) return -1;
    return this.view(column).findLastIndex((value) => !Number.isNaN(value));
  }

  newest(column) {
    const at = this.newestRow(column);
    return at < 0 ? NaN : this.view(column)[at];
  }

  /** The mean of a column as its runs show it, over those that have measured it. */
  view(column) {
    return column === STEP ? this.fresh().steps : this.column(column).mean;
  }

  /** The mean of a column as it was measured. */
  raw(column) {
    return column === STEP ? this.fresh().steps : this.column(column, "raw").mean;
  }

  low(column) {
    return this.column(column).low;
  }

  high(column) {
    return this.column(column).high;
  }

  column(column, read = "view") {
    const key = `${read} ${column}`;
    this.fresh();
    if (!this.columns.has(key)) this.columns.set(key, this.gather((rows) => rows[read](column)));
    return this.columns.get(key);
  }

  /** Take the sources anew if any of them has changed. */
  fresh() {
    const rows = this.sources();
    const same = rows.length === this.rows.length && rows.every((each, i) => each === this.rows[i] && each.version === this.versions[i]);
    if (!same) this.align(rows);
    return this;
  }

  align(rows) {
    this.rows = rows;
    this.versions = rows.map(({ version }) => version);
    this.columns = new Map();
    [this.steps, this.places] = common(rows.map((each) => each.view(STEP)));
  }

  gather(valuesOf) {
    const { length } = this.steps;
    const [mean, low, high] = [new Float32Array(length), new Float32Array(length).fill(Infinity), new Float32Array(length).fill(-Infinity)];
    const known = new Uint16Array(length);
    this.rows.forEach((rows, which) => {
      const values = valuesOf(rows);
      const places = this.places[which];
      for (let i = 0; i < length; i += 1) {
        const value = values[places ? places[i] : i];
        if (value - value !== 0) continue;
        mean[i] += value;
        known[i] += 1;
        if (value < low[i]) low[i] = value;
        if (value > high[i]) high[i] = value;
      }
    });
    for (let i = 0; i < length; i += 1) {
      mean[i] /= known[i]; // 0/0, NaN, where nobody has measured it
      if (!known[i]) low[i] = high[i] = NaN;
    }
    return { mean, low, high };
  }
}

/** The least and the greatest of some columns of one run; its rows are asked for when they are needed. */
export class Spread {
  constructor(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.version = -1;
    this.held = [];
  }

  low() {
    return this.extremes()[0];
  }

  high() {
    return this.extremes()[1];
  }

  extremes() {
    const rows = this.rows;
    if (this.version === rows.version) return this.held;
    const held = [new Float32Array(rows.count).fill(Infinity), new Float32Array(rows.count).fill(-Infinity)];
    const [low, high] = held;
    for (const column of this.columns) {
      const values = rows.view(column);
      for (let i = 0; i < values.length; i += 1) {
        if (values[i] < low[i]) low[i] = values[i];
        if (values[i] > high[i]) high[i] = values[i];
      }
    }
    this.version = rows.version;
    this.held = held;
    return held;
  }
}

/**
 * The steps that all lists have, and for each list where they are in it; null where they are its first.
 * @returns {[Float32Array, (Int32Array | null)[]]}
 */
export function common(lists) {
  if (!lists.length) return [new Float32Array(0), []];
  const shortest = lists.reduce((one, other) => (other.length < one.length ? other : one));
  const alike = lists.every((list) => shortest.every((step, i) => list[i] === step));
  if (alike) return [shortest.slice(), lists.map(() => null)];
  const steps = shortest.filter((step) => lists.every((list) => list[lowest(list, step)] === step));
  return [steps, lists.map((list) => Int32Array.from(steps, (step) => lowest(list, step)))];
}
