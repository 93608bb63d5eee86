/** Bands behind the lines: from a lowest to a highest value at each step. */

const STRENGTH = 0.22;
const BEHIND = 0.12;
// Pixels that share a point of the outline.
const BUCKET = 3;

/** Fill a chart's bands on its canvas. */
export function drawBands(u, chart) {
  const { ctx, bbox, scales } = u;
  if (!chart.bands.length) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { line, of } of chart.bands) {
    if (line && !chart.shows(line)) continue;
    ctx.fillStyle = inkOf(line, chart);
    ctx.fill(outline(new Path2D(), { ...bbox, ...scales, log: chart.log }, of()));
  }
  ctx.restore();
}

/** The colour of a band: that of its line, thin, or of no task. */
export function inkOf(line, chart) {
  const { theme, entrant, choices } = chart.panel;
  const strong = !line || line.member === (choices.spot ?? entrant);
  return `color-mix(in srgb, ${line ? chart.color(line) : theme.neutral} ${100 * (strong ? STRENGTH : BEHIND)}%, transparent)`;
}

/**
 * Draw the outline of a band into `pen`: of each pixel column its greatest from left to right, then its least back.
 * frame: the plot's place, and what of x and y it shows.
 */
export function outline(pen, { left, top, width, height, x, y, log }, { rows, low, high }) {
  const number = (value) => (log ? Math.log10(value) : value);
  const scale = height / (number(y.max) - number(y.min));
  const at = (value) => top + (number(y.max) - number(log ? Math.max(value, y.min) : value)) * scale;
  const place = (step) => Math.floor((left + ((step - x.min) / (x.max - x.min)) * width) / BUCKET);
  const from = Math.max(0, rows.find(x.min) - 1);
  const to = Math.min(rows.count, rows.find(x.max) + 1);
  for (const piece of columns(rows.view(0), low, high, place, from, to)) {
    piece.forEach((each, i) => pen[i ? "lineTo" : "moveTo"](each.at * BUCKET, at(each.high)));
    for (const each of piece.toReversed()) pen.lineTo(each.at * BUCKET, at(each.low));
  }
  return pen;
}

/** The extremes of each pixel column, {at, low, high}, in pieces that a gap divides. */
export function columns(steps, low, high, place, from, to) {
  const pieces = [];
  let piece = null;
  for (let i = from; i < to; i += 1) {
    if (!(high[i] >= low[i]) || high[i] - low[i] === Infinity) {
      piece = null;
      continue;
    }
    const at = place(steps[i]);
    const last = piece?.at(-1);
    if (last?.at === at) {
      last.low = Math.min(last.low, low[i]);
      last.high = Math.max(last.high, high[i]);
      continue;
    }
    if (!piece) pieces.push((piece = []));
    piece.push({ at, low: low[i], high: high[i] });
  }
  return pieces;
}
