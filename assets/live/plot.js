/** uPlot options of one chart: fixed gutters, our own ticks and paths, a cursor shared by step. */
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { drawBands } from "./bands.js";
import { stepTick, tick } from "./format.js";
import { listenToFingers } from "./hands.js";
import { linePath, ownPath } from "./paths.js";
import { stepTicks, valueTicks } from "./ticks.js";
import { drawEnds, drawMarks } from "./marks.js";
import { t } from "./words.js";

const GUTTER = 54;
const FEW_POINTS = 40;
const CURSOR_POINTS = 40;
const CURSOR_SIZE = 6;
// Room at the right for the keys at the lines' ends.
const KEY_ROOM = 22;

/** Make the uPlot of a chart; `chart` gives lines, colours, data and the panel's theme. */
export function makePlot(chart, host, size) {
  const { panel, lines, log } = chart;
  const options = {
    ...size,
    padding: [18, panel.shared ? KEY_ROOM : 14, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, auto: false, range: (_, low, high) => (low === null ? chart.bounds.x : [low, high]) },
      y: { distr: log ? 3 : 1, log: 10, auto: false, range: (_, low, high) => (low === null ? chart.bounds.y : [low, high]) },
    },
    axes: [xAxis(panel), yAxis(panel, log)],
    series: [{}, ...lines.map((line) => series(chart, line))],
    cursor: cursor(chart),
    hooks: {
      drawAxes: [(u) => drawBands(u, chart), (u) => drawMarks(u, chart.marks(), panel.theme)],
      draw: [(u) => drawEnds(u, chart.ends(u.scales.x.max), panel.theme)],
      setCursor: [(u) => chart.hover(u)],
      setSelect: [(u) => zoom(u, panel)],
    },
  };
  const plot = new uPlot(options, [[], ...lines.map(() => [])], host);
  listenToFingers(chart, plot.over);
  plot.over.addEventListener("mouseenter", () => (chart.hovered = true));
  plot.over.addEventListener("mouseleave", () => (chart.hovered = false));
  return plot;
}

function series(chart, line) {
  const { shared, entrant } = chart.panel;
  return {
    scale: "y",
    auto: false,
    show: chart.shows(line),
    width: line.width,
    dash: line.dash,
    cap: "butt",
    stroke: () => chart.color(line),
    paths: shared ? (u, i) => ownPath(u, i, chart.rowsOf(line), line.member !== entrant) : linePath,
    points: {
      // Evaluations are rare: a dot says where one was made.
      show: (u, _, from, to) => chart.sparse && !shared && to - from < FEW_POINTS,
      size: line.task < 0 ? 6 : 4,
      width: 0,
      stroke: () => chart.color(line),
      fill: () => chart.color(line),
    },
  };
}

function xAxis(panel) {
  return {
    ...axisStyle(panel),
    size: 24,
    label: t("step"),
    labelSize: 15,
    labelGap: 0,
    labelFont: panel.theme.font,
    splits: (u, _, low, high) => stepTicks(low, high, u.width),
    values: (_, splits) => splits.map(stepTick),
  };
}

function yAxis(panel, log) {
  return {
    ...axisStyle(panel),
    size: GUTTER,
    splits: (u, _, low, high) => valueTicks(low, high, u.height, log),
    filter: (_, splits) => splits,
    values: (_, splits) => splits.map(tick),
  };
}

function axisStyle(panel) {
  return {
    stroke: () => panel.theme.muted,
    font: panel.theme.font,
    gap: 6,
    grid: { stroke: () => panel.theme.grid, width: 1 },
    ticks: { show: false },
  };
}

function cursor(chart) {
  const { panel, lines } = chart;
  const fill = (u, i) => chart.color(lines[i - 1]);
  const reset = () => () => {
    panel.choices.setZoom(null);
    return null;
  };
  return {
    y: false,
    sync: { key: panel.syncKey, scales: ["x", null], setSeries: false },
    drag: { x: true, y: false, setScale: false, dist: 5 },
    bind: { dblclick: reset },
    // A missing value has no place on the canvas; uPlot hides the point of a null index.
    dataIdx: (u, i, at) => (i === 0 || (lines[i - 1].kind !== "ghost" && (panel.shared || drawable(u.data[i][at], chart.log))) ? at : null),
    points: {
      ...(lines.length > CURSOR_POINTS && { show: false }),
      ...(panel.shared && { bbox: (u, i) => spot(u, i, chart) }),
      size: () => CURSOR_SIZE,
      width: () => 0,
      fill,
      stroke: fill,
    },
  };
}

/** Where the cursor's point of a line belongs whose run has rows of its own. */
function spot(u, i, chart) {
  const { x, value } = chart.valueAt(chart.lines[i - 1], u.data[0][u.cursor.idx]);
  if (!drawable(value, chart.log)) return { left: -10, top: -10, width: 0, height: 0 };
  const half = CURSOR_SIZE / 2;
  return { left: u.valToPos(x, "x") - half, top: u.valToPos(value, "y") - half, width: CURSOR_SIZE, height: CURSOR_SIZE };
}

function drawable(value, log) {
  return value - value === 0 && (!log || value > 0);
}

function zoom(u, panel) {
  const { left, width } = u.select;
  if (width < 2) return;
  const low = u.posToVal(left, "x");
  const high = u.posToVal(left + width, "x");
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  // Every synchronised chart reports the same selection; the first one decides.
  if (high - low >= 1) panel.choices.setZoom({ min: low, max: high });
}
