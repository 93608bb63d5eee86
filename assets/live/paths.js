/** Lines as canvas paths: NaN is a gap, and a pixel column draws no more than its extremes. */

const CROWD = 40;
// Pixels over which the line of a run behind another is averaged: its dashes stay legible, and it costs little.
const BROAD = 3;

/** A uPlot path builder for typed arrays, in linear or log scale. */
export function linePath(u, series, from, to) {
  return strokes(u, series, from, to, u.data[0], false);
}

/** The path of a line with steps of its own, among those of several runs. behind: its run is not in front. */
export function ownPath(u, series, rows, behind) {
  const [from, to] = seen(rows, u.scales.x);
  return strokes(u, series, from, to, rows.raw(0), behind);
}

/** The first and the last row that a range of steps needs: one more at each side, so that lines reach the edges. */
export function seen(rows, { min, max }) {
  return [Math.max(0, rows.find(min) - 1), Math.min(rows.find(max) + 1, rows.count) - 1];
}

/** Draw a line into `pen`, which has moveTo and lineTo. frame: the plot's place, and what of x and y it shows. */
export function trace(pen, frame, xs, ys, from, to, behind = false) {
  const { left, top, width, height, x, y, log } = frame;
  const high = log ? Math.log10(y.max) : y.max;
  const low = log ? Math.log10(y.min) : y.min;
  const bucket = behind ? BROAD : frame.bucket;
  const place = {
    bucket,
    path: pen,
    log,
    x0: left - (x.min * width) / (x.max - x.min),
    kx: width / (x.max - x.min),
    y0: top + (high * height) / (high - low),
    ky: height / (high - low),
  };
  const crowded = behind ? average : dense;
  if ((to - from) * bucket > 2 * width) crowded(place, xs, ys, from, to);
  else sparse(place, xs, ys, from, to);
  return pen;
}

function strokes(u, series, from, to, xs, behind) {
  const { x, y } = u.scales;
  // Many lines, or dashes over noise, cost most to fill in: they get coarser pixel columns.
  const bucket = u.series.length > CROWD ? 3 : u.series[series].dash?.length ? 2 : 1;
  const frame = { ...u.bbox, x, y, log: y.distr === 3, bucket };
  const stroke = trace(new Path2D(), frame, xs, u.data[series], from, to, behind);
  return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 0 };
}

/** Widen `range` ([low, high]) by the drawable values of ys[from, to). */
export function extent(ys, from, to, log, range) {
  let [low, high] = range;
  for (let i = from; i < to; i += 1) {
    const value = ys[i];
    if (value - value !== 0 || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  range[0] = low;
  range[1] = high;
}

function sparse({ path, log, x0, kx, y0, ky }, xs, ys, from, to) {
  let length = 0;
  let px = 0;
  let py = 0;
  for (let i = from; i <= to; i += 1) {
    const value = ys[i];
    if (value - value !== 0 || (log && value <= 0)) {
      if (length === 1) dot(path, px, py);
      length = 0;
      continue;
    }
    px = x0 + xs[i] * kx;
    py = y0 - (log ? Math.log10(value) : value) * ky;
    if (length) path.lineTo(px, py);
    else path.moveTo(px, py);
    length += 1;
  }
  if (length === 1) dot(path, px, py);
}

/** First, lowest, highest and last value of each pixel column; a gap where columns have none, a dot for a lone value. */
function dense({ path, bucket, log, x0, kx, y0, ky }, xs, ys, from, to) {
  const pixel = (value) => y0 - (log ? Math.log10(value) : value) * ky;
  let length = 0;
  let column = NaN;
  let empty = NaN; // the first column after `column` that begins with nothing
  let first = 0;
  let last = 0;
  let low = 0;
  let high = 0;
  const flush = () => {
    const at = (column + 0.5) * bucket;
    const start = pixel(first);
    if (length) path.lineTo(at, start);
    else path.moveTo(at, start);
    length += 1;
    if (low === high) return;
    if (low !== first) path.lineTo(at, pixel(low));
    if (high !== first || low !== first) path.lineTo(at, pixel(high));
    if (last !== high) path.lineTo(at, pixel(last));
  };
  const lift = () => {
    if (length === 1 && low === high) dot(path, (column + 0.5) * bucket, pixel(first));
    length = 0;
  };
  for (let i = from; i <= to; i += 1) {
    const value = ys[i];
    const here = Math.floor((x0 + xs[i] * kx) / bucket);
    if (value - value !== 0 || (log && value <= 0)) {
      if (here !== column && !(empty > column)) empty = here;
      continue;
    }
    if (here === column) {
      last = value;
      if (value < low) low = value;
      else if (value > high) high = value;
      continue;
    }
    if (column === column) flush();
    if (empty > column && empty < here) lift();
    column = here;
    first = last = low = high = value;
  }
  if (column === column) flush();
  lift();
}

/** One point a pixel column, the mean of its drawable values; a gap where there is none. */
function average({ path, bucket, log, x0, kx, y0, ky }, xs, ys, from, to) {
  let pen = false;
  let column = NaN;
  let sum = 0;
  let number = 0;
  const flush = () => {
    const value = sum / number;
    if (number) path[pen ? "lineTo" : "moveTo"]((column + 0.5) * bucket, y0 - (log ? Math.log10(value) : value) * ky);
    pen = number > 0;
  };
  for (let i = from; i <= to; i += 1) {
    const here = Math.floor((x0 + xs[i] * kx) / bucket);
    if (here !== column) {
      if (column === column) flush();
      column = here;
      sum = number = 0;
    }
    const value = ys[i];
    if (value - value !== 0 || (log && value <= 0)) continue;
    sum += value;
    number += 1;
  }
  if (column === column) flush();
}

function dot(path, x, y) {
  path.moveTo(x - 1.5, y);
  path.lineTo(x + 1.5, y);
}
