/** Bands behind the lines: from a lowest to a highest value at each step. */

const STRENGTH = 0.22;
const BEHIND = 0.12;
// Pixels that share a point of the outline.
const BUCKET = 3;

/** Fill a chart's bands on its canvas. */
export function drawBands(u, chart) {
  const { ctx, bbox } = u;
  if (!chart.bands.length) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { line, of } of chart.bands) {
    if (line && !chart.shows(line)) continue;
    ctx.fillStyle = ink(line, chart);
    ctx.fill(outline(u, of(), chart.log));
  }
  ctx.restore();
}

function ink(line, chart) {
  const { theme, entrant, choices } = chart.panel;
  const strong = !line || line.member === (choices.spot ?? entrant);
  return `color-mix(in srgb, ${line ? chart.color(line) : theme.neutral} ${100 * (strong ? STRENGTH : BEHIND)}%, transparent)`;
}

/** The closed path around a band: of each pixel column its greatest from left to right, then its least back. */
function outline(u, { rows, low, high }, log) {
  const { min, max } = u.scales.x;
  const { left, width } = u.bbox;
  const steps = rows.view(0);
  const path = new Path2D();
  const y = (value) => u.valToPos(log ? Math.max(value, u.scales.y.min) : value, "y", true);
  const place = (step) => Math.floor((left + ((step - min) / (max - min)) * width) / BUCKET);
  const from = Math.max(0, rows.find(min) - 1);
  const to = Math.min(rows.count, rows.find(max) + 1);
  for (const piece of columns(steps, low, high, place, from, to)) {
    piece.forEach(({ at, high: top }, i) => (i ? path.lineTo(at * BUCKET, y(top)) : path.moveTo(at * BUCKET, y(top))));
    for (const { at, low: bottom } of piece.toReversed()) path.lineTo(at * BUCKET, y(bottom));
    path.closePath();
  }
  return path;
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
