/** Columnar buffers: one growing Float32Array a column, smoothed copies made on demand. */

const FIRST_CAPACITY = 512;
const STEP = 0;

/** Rows of one stream. Column 0 is the step; `mean` adds a column with the mean of others. */
export class Rows {
  constructor(width, { alpha = -1, mean = null, unit = 0 } = {}) {
    this.width = width;
    this.alpha = alpha;
    this.mean = mean;
    this.unit = unit;
    this.capacity = FIRST_CAPACITY;
    const total = width + (mean ? 1 : 0);
    this.columns = Array.from({ length: total }, () => new Float32Array(FIRST_CAPACITY));
    this.measured = new Uint8Array(total);
    this.smooth = new Array(total).fill(null);
    this.trust = new Array(total).fill(null);
    this.smoothed = new Int32Array(total);
    this.factor = 0;
    this.count = 0;
    this.fixed = 1;
    this.stride = 1;
    this.marks = [];
    this.seed = null;
    /** Grows whenever anything is another. */
    this.version = 0;
  }

  /** The newest step held, or `otherwise` when there is none. */
  last(otherwise = 0) {
    return this.count ? this.columns[STEP][this.count - 1] : otherwise;
  }

  /** Index of the newest row in which a column was measured, which need not be at every step; −1 without one. */
  newestRow(column) {
    if (column < 0 || !this.measured[column]) return -1;
    const values = this.columns[column];
    let at = this.count - 1;
    while (at >= 0 && Number.isNaN(values[at])) at -= 1;
    return at;
  }

  /** The newest value of a column that was measured, or NaN. */
  newest(column) {
    const at = this.newestRow(column);
    return at < 0 ? NaN : this.columns[column][at];
  }

  /** Append row-major values; a newest row that lies between strides gives way to them. */
  append(values, count, stride) {
    if (!count) return;
    this.stride = stride || this.stride;
    const steps = this.columns[STEP];
    let keep = this.count;
    if (keep > this.fixed && steps[keep - 1] % this.stride !== 0) keep -= 1;
    while (keep > 0 && steps[keep - 1] >= values[0]) keep -= 1;
    this.truncate(keep);
    this.reserve(this.count + count);
    const { width } = this;
    for (let c = 0; c < width; c += 1) {
      const column = this.columns[c];
      let measured = this.measured[c];
      for (let i = 0, at = c, to = this.count; i < count; i += 1, at += width, to += 1) {
        const value = values[at];
        column[to] = value;
        if (value === value) measured = 1;
      }
      this.measured[c] = measured;
    }
    this.settle(count);
  }

  /** Append rows [from, to) of another buffer with the same columns. */
  copy(other, from, to) {
    if (to <= from) return;
    this.reserve(this.count + to - from);
    for (let c = 0; c < this.width; c += 1) {
      this.columns[c].set(other.columns[c].subarray(from, to), this.count);
      this.measured[c] |= other.measured[c];
    }
    this.settle(to - from);
  }

  /** Index of the first row whose step is at least `step`. */
  find(step) {
    return lowest(this.columns[STEP].subarray(0, this.count), step);
  }

  /** Set the smoothing factor of the exponential moving average, in [0, 1). */
  setSmoothing(factor) {
    if (factor === this.factor) return;
    this.version += 1;
    this.factor = factor;
    this.smoothed.fill(0);
  }

  /** A column as it was measured. */
  raw(column) {
    return this.columns[column].subarray(0, this.count);
  }

  /** A column as it should be drawn: raw, or smoothed up to the newest row. */
  view(column) {
    if (!this.factor || column === STEP) return this.raw(column);
    this.extend(column);
    return this.smooth[column].subarray(0, this.count);
  }

  settle(count) {
    this.version += 1;
    const from = this.count;
    this.count += count;
    if (this.mean) this.average(from);
    if (this.alpha >= 0) this.mark(from);
  }

  average(from) {
    const { first, count } = this.mean;
    const out = this.columns[this.width];
    for (let i = from; i < this.count; i += 1) {
      let sum = 0;
      for (let c = first; c < first + count; c += 1) sum += this.columns[c][i];
      out[i] = sum / count;
      if (sum === sum) this.measured[this.width] = 1;
    }
  }

  mark(from) {
    const alphas = this.columns[this.alpha];
    for (let i = Math.max(1, from); i < this.count; i += 1) {
      const changed = alphas[i] !== alphas[i - 1] && alphas[i] === alphas[i] && alphas[i - 1] === alphas[i - 1];
      if (changed) this.marks.push({ index: i, step: this.columns[STEP][i], alpha: alphas[i] });
    }
  }

  truncate(count) {
    this.count = count;
    while (this.marks.length && this.marks.at(-1).index >= count) this.marks.pop();
    for (let c = 0; c < this.smoothed.length; c += 1) {
      if (this.smoothed[c] > count) this.smoothed[c] = count;
    }
  }

  reserve(count) {
    if (count <= this.capacity) return;
    while (this.capacity < count) this.capacity *= 2;
    const grow = (old) => {
      const grown = new Float32Array(this.capacity);
      grown.set(old.subarray(0, this.count));
      return grown;
    };
    this.columns = this.columns.map(grow);
    this.smooth = this.smooth.map((old) => old && grow(old));
    this.trust = this.trust.map((old) => old && grow(old));
  }

  /**
   * Smooth a column up to the newest row. `trust` is the weight of all values so far, which grows to 1: divided by it,
   * the mean begins at the first value and does not cling to it.
   */
  extend(column) {
    const out = (this.smooth[column] ??= new Float32Array(this.capacity));
    const trust = (this.trust[column] ??= new Float32Array(this.capacity));
    const raw = this.columns[column];
    const steps = this.columns[STEP];
    const unit = this.unit || this.stride;
    let i = this.smoothed[column];
    if (i === 0 && this.seed && this.count) {
      const { rows, index } = this.seed;
      out[0] = rows.view(column)[index];
      trust[0] = rows.trust[column][index];
      i = 1;
    }
    let last = i - 1;
    while (last >= 0 && out[last] - out[last] !== 0) last -= 1;
    let gap = unit;
    let keep = this.factor;
    for (; i < this.count; i += 1) {
      const value = raw[i];
      if (value - value !== 0) {
        out[i] = value === value ? value : NaN;
        continue;
      }
      // Rows of a finer stride must smooth over the same number of steps as the base rows.
      const step = i ? steps[i] - steps[i - 1] : unit;
      if (step !== gap) {
        gap = step;
        keep = this.factor ** (gap / unit);
      }
      // Read back as float32, so that appending gives the very numbers a recomputation would.
      trust[i] = last < 0 ? 1 - keep : keep * trust[last] + (1 - keep);
      out[i] = last < 0 ? value : out[last] + ((1 - keep) / trust[i]) * (value - out[last]);
      last = i;
    }
    this.smoothed[column] = this.count;
  }
}

/** The base rows with those of one zoomed range replaced by rows at a finer stride. */
export function refine(base, values, count, stride) {
  const rows = new Rows(base.width, { alpha: base.alpha, mean: base.mean, unit: base.stride });
  const lead = base.find(values[0]) - 1;
  if (lead >= 0) {
    rows.copy(base, lead, lead + 1);
    rows.seed = { rows: base, index: lead };
  }
  rows.append(values, count, stride);
  rows.fixed = rows.count;
  rows.copy(base, base.find(rows.last() + 1e-3), base.count);
  rows.stride = base.stride;
  rows.setSmoothing(base.factor);
  return rows;
}

/** Index of the first of ascending steps that is at least `step`. */
export function lowest(steps, step) {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}
