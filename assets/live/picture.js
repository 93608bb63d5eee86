/** A chart as an SVG of its own for a slide: lines from the data, axes and legend. */
import { inkOf, outline } from "./bands.js";
import { stepTick, tick } from "./format.js";
import { remarks } from "./lines.js";
import { seen, trace } from "./paths.js";
import { HEIGHT, MARGIN, SMALL, Sheet, TEXT, WIDTH, short } from "./sheet.js";
import { stepTicks, valueTicks } from "./ticks.js";
import { local, t } from "./words.js";

// A slide is read from the last row: lines are twice as thick as on the page.
const SCALE = 2;
const LEGEND_ROWS = 4;
const FEW_POINTS = 40;

/** The chart as SVG text. words: `run`, `settings` and `address`, written beside it. */
export function picture(chart, words) {
  const page = new Sheet(chart.panel.theme);
  const { theme } = chart.panel;
  const top = legend(page, chart, page.title(`${chart.title}  ${chart.view.symbol}`, words));
  const frame = { left: MARGIN + 90, top: top + 50, width: 0, height: 0, x: chart.plot.scales.x, y: chart.plot.scales.y, log: chart.log, bucket: SCALE };
  frame.width = WIDTH - MARGIN - 30 - frame.left;
  frame.height = HEIGHT - 150 - frame.top;
  axes(page, frame, theme);
  marks(page, frame, chart);
  for (const band of chart.bands) drawBand(page, frame, chart, band);
  for (const line of chart.lines) if (chart.shows(line)) drawLine(page, frame, chart, line);
  ends(page, frame, chart);
  return page.svg(`${chart.title}: ${words.run}`, chart.parts.summary.textContent);
}

/** The legend from `top` on; where it ends. */
function legend(page, chart, top) {
  const lines = chart.told.filter((line) => chart.shows(line));
  let [x, y] = [MARGIN, top + 26];
  let shown = 0;
  for (const line of lines) {
    const width = 70 + page.width(line.label, TEXT) + 56;
    if (x + width > WIDTH - MARGIN && x > MARGIN) [x, y] = [MARGIN, y + 42];
    if (y > top + 26 + 42 * (LEGEND_ROWS - 1)) break;
    const ink = page.resolve(chart.color(line));
    page.add(`<line x1="${x}" x2="${x + 56}" y1="${y - 9}" y2="${y - 9}" ${stroke(ink, line)}/>`);
    page.text(x + 70, y, line.label, { size: TEXT });
    x += width;
    shown += 1;
  }
  const note = [shown < lines.length && t("and {count} more lines", { count: lines.length - shown }), chart.view.note?.(chart.panel.run), notes(chart), ...remarks(chart.panel, chart.view)].filter(Boolean).join("; ");
  if (!note) return y;
  page.text(MARGIN, y + 40, page.fitted(note, SMALL), { size: SMALL, fill: chart.panel.theme.muted });
  return y + 40;
}

function notes(chart) {
  const { smoothing } = chart.panel.choices;
  if (!smoothing || chart.sparse) return "";
  const factor = { factor: local(String(smoothing)) };
  if (chart.lines.some(({ kind }) => kind === "ghost")) return t("smoothed (moving average, {factor}), as measured behind", factor);
  return t("smoothed (moving average, {factor})", factor);
}

function axes(page, frame, theme) {
  const { left, top, width, height, x, y, log } = frame;
  const [grid, muted] = [page.resolve(theme.grid), page.resolve(theme.muted)];
  for (const value of valueTicks(y.min, y.max, height / SCALE, log)) {
    const at = place(frame, x.min, value).y;
    page.add(`<line x1="${left}" x2="${left + width}" y1="${at}" y2="${at}" stroke="${grid.color}" stroke-opacity="${grid.opacity}" stroke-width="2"/>`);
    page.text(left - 14, at + 8, tick(value), { size: SMALL, fill: theme.muted, anchor: "end" });
  }
  for (const step of stepTicks(x.min, x.max, width / SCALE)) {
    const at = place(frame, step, y.min).x;
    page.add(`<line x1="${at}" x2="${at}" y1="${top}" y2="${top + height}" stroke="${grid.color}" stroke-opacity="${grid.opacity}" stroke-width="2"/>`);
    page.text(at, top + height + 36, stepTick(step), { size: SMALL, fill: theme.muted, anchor: "middle" });
  }
  page.text(left + width / 2, top + height + 72, log ? t("step (values on a logarithmic scale)") : t("step"), { size: SMALL, fill: theme.muted, anchor: "middle" });
  page.add(`<clipPath id="plot"><rect x="${left}" y="${top}" width="${width}" height="${height}"/></clipPath>`);
  page.add(`<line x1="${left}" x2="${left + width}" y1="${top + height}" y2="${top + height}" stroke="${muted.color}" stroke-opacity="${muted.opacity}" stroke-width="2"/>`);
}

function drawBand(page, frame, chart, { line, of }) {
  if (line && !chart.shows(line)) return;
  const ink = page.resolve(inkOf(line, chart));
  const { d } = outline(new Pen(), frame, of());
  if (d) page.add(`<path d="${d}" fill="${ink.color}" fill-opacity="${ink.opacity}" clip-path="url(#plot)"/>`);
}

function drawLine(page, frame, chart, line) {
  const rows = chart.rowsOf(line);
  const [from, to] = seen(rows, frame.x);
  const { shared, entrant } = chart.panel;
  const ys = chart.valuesOf(line);
  const ink = page.resolve(chart.color(line));
  const { d } = trace(new Pen(), frame, rows.raw(0), ys, from, to, shared && line.member !== entrant);
  if (d) page.add(`<path d="${d}" fill="none" clip-path="url(#plot)" stroke-linejoin="round" ${stroke(ink, line)}/>`);
  if (!chart.sparse || shared || to - from >= FEW_POINTS) return;
  for (let i = from; i <= to; i += 1) {
    const { x, y } = place(frame, rows.raw(0)[i], ys[i]);
    if (x === x && y === y && Number.isFinite(y)) page.add(`<circle cx="${x}" cy="${y}" r="5" clip-path="url(#plot)" fill="${ink.color}" fill-opacity="${ink.opacity}"/>`);
  }
}

function marks(page, frame, chart) {
  const { theme } = chart.panel;
  const ink = page.resolve(theme.faint);
  const taken = [];
  for (const { step, label, dash } of chart.marks()) {
    if (step < frame.x.min || step > frame.x.max) continue;
    const { x } = place(frame, step, frame.y.min);
    page.add(`<line x1="${x}" x2="${x}" y1="${frame.top}" y2="${frame.top + frame.height}" ${stroke(ink, { width: 1, dash })}/>`);
    const half = page.width(label, SMALL) / 2 + 10;
    const middle = Math.min(x, frame.left + frame.width - half);
    if (taken.some((other) => Math.abs(other.middle - middle) < other.half + half)) continue;
    taken.push({ middle, half });
    page.text(middle, frame.top - 10, label, { size: SMALL, fill: theme.muted, anchor: "middle" });
  }
}

/** The key of each run at the end of its line, apart from one another. */
function ends(page, frame, chart) {
  let floor = -Infinity;
  const found = chart.ends(frame.x.max).map((end) => ({ ...end, ...place(frame, end.step, end.value) })).filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  for (const { key, x, y, color } of found.sort((a, b) => a.y - b.y)) {
    floor = Math.max(y, floor + TEXT);
    page.text(x + 10, floor + 9, key, { size: TEXT, weight: 600, fill: color });
  }
}

/** Where a step and a value lie on the sheet. */
function place({ left, top, width, height, x, y, log }, step, value) {
  const of = (number) => (log ? Math.log10(number) : number);
  return {
    x: short(left + ((step - x.min) / (x.max - x.min)) * width),
    y: short(top + ((of(y.max) - of(value)) / (of(y.max) - of(y.min))) * height),
  };
}

function stroke({ color, opacity }, { width, dash }) {
  const dashes = dash?.length ? ` stroke-dasharray="${dash.map((part) => part * SCALE).join(" ")}"` : "";
  return `stroke="${color}" stroke-opacity="${opacity}" stroke-width="${short(width * SCALE)}"${dashes}`;
}

/** Gathers a path's commands. */
class Pen {
  constructor() {
    this.d = "";
  }

  moveTo(x, y) {
    this.d += `M${short(x)} ${short(y)}`;
  }

  lineTo(x, y) {
    this.d += `L${short(x)} ${short(y)}`;
  }
}
