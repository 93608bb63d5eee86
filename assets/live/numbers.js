/** What a chart says, for those who do not look at it: a sentence made of its numbers, and a table of them. */
import { element, swatch, write } from "./dom.js";
import { count, significant } from "./format.js";
import { rowAt } from "./lines.js";
import { t } from "./words.js";

// Rows of the table, spread over what is seen.
const ROWS = 12;
// Lines that the sentence tells of: those that changed most.
const TOLD = 3;
// Values closer together than this share are said to be the same.
const STILL = 0.02;
const EVERY = 10_000;

/** The sentence and the table of one chart; both stand still for ten seconds while the run goes on. */
export class Numbers {
  constructor(chart) {
    /** @type {import("./chart.js").Chart} */
    this.chart = chart;
    this.head = element("thead");
    this.body = element("tbody");
    this.caption = element("caption");
    this.table = element("table", { class: "gn-table" }, [this.caption, this.head, this.body]);
    this.forget();
  }

  /** Make the disclosure that holds the sentence and the table. */
  place(summary) {
    this.summary = summary;
    const box = element("div", { class: "gn-table-box", tabindex: 0, role: "region", "aria-label": t("Numbers of this chart") }, this.table);
    this.details = element("details", { class: "gn-numbers" }, [element("summary", {}, t("In numbers")), summary, box]);
    this.details.addEventListener("toggle", () => this.update(true));
    return this.details;
  }

  /** Other lines or another range are drawn. */
  forget() {
    this.told = -Infinity;
    this.state = null;
  }

  /** Say it anew where that is due: at first, at a pause, at the end, and seldom in between. */
  update(now = false) {
    const { chart } = this;
    const { state } = chart.panel;
    if (!chart.plot) {
      if (!chart.measured) write(this.summary, `${chart.title}: ${chart.reason() || t("no run yet")}.`);
      return;
    }
    if (!now && state === this.state && performance.now() < this.told + EVERY) return;
    this.told = performance.now();
    this.state = state;
    write(this.summary, summed(chart));
    if (this.details.open) this.fill();
  }

  fill() {
    const { chart } = this;
    const lines = chart.told.filter((line) => chart.shows(line));
    const raw = chart.sparse || !chart.panel.choices.smoothing;
    this.caption.textContent = `${chart.title}, ${raw ? t("as measured") : t("as measured; the lines are smoothed")}`;
    const heads = lines.map((line) => element("th", { scope: "col" }, element("span", { class: "gn-task" }, [...(line.task >= 0 ? [swatch(chart.panel.tasks[line.task])] : []), line.label])));
    this.head.replaceChildren(element("tr", {}, [element("th", { scope: "col" }, t("step")), ...heads]));
    this.body.replaceChildren(...stepsOf(chart).map((step) => {
      const cells = lines.map((line) => element("td", {}, significant(measured(chart, line, step), 4)));
      return element("tr", {}, [element("th", { scope: "row" }, count(step)), ...cells]);
    }));
  }
}

/** Some steps of those that are seen, the first and the newest among them. */
function stepsOf({ plot }) {
  const { min, max } = plot.scales.x;
  const steps = plot.data[0].filter((step) => step >= min && step <= max);
  if (steps.length <= ROWS) return [...steps];
  return Array.from({ length: ROWS }, (_, i) => steps[Math.round((i * (steps.length - 1)) / (ROWS - 1))]);
}

function measured(chart, line, step) {
  const rows = chart.rowsOf(line);
  const at = rowAt(rows, step);
  return at < 0 ? NaN : rows.raw(line.column)[at];
}

/** From where to where the lines went, those that changed most first. */
function summed(chart) {
  const { min, max } = chart.plot.scales.x;
  const moves = chart.told.filter((line) => chart.shows(line)).map((line) => move(chart, line, min, max)).filter(Boolean);
  if (!moves.length) return t("{chart}: nothing was measured in the steps shown.", { chart: chart.title });
  const told = moves.toSorted((a, b) => b.size - a.size).slice(0, TOLD);
  const more = moves.length > told.length ? `; ${t("{count} more", { count: moves.length - told.length })}` : "";
  const [first, last] = [Math.min(...moves.map(({ from }) => from)), Math.max(...moves.map(({ to }) => to))];
  const of = { chart: chart.title, first: count(first), last: count(last) };
  return `${t("{chart}, steps {first} to {last}:", of)} ${told.map(({ text }) => text).join("; ")}${more}.`;
}

function move(chart, line, min, max) {
  const rows = chart.rowsOf(line);
  const values = rows.raw(line.column);
  const steps = rows.raw(0);
  let i = rows.find(min);
  let j = rows.find(max + 0.5) - 1;
  while (i <= j && values[i] - values[i] !== 0) i += 1;
  while (j >= i && values[j] - values[j] !== 0) j -= 1;
  if (i > j) return null;
  const [start, end] = [values[i], values[j]];
  const scale = Math.max(Math.abs(start), Math.abs(end));
  const still = scale === 0 || Math.abs(end - start) <= STILL * scale;
  const said = { line: line.label, start: significant(start, 3), end: significant(end, 3) };
  const moved = end > start ? t("{line} rose from {start} to {end}", said) : t("{line} fell from {start} to {end}", said);
  const size = start > 0 && end > 0 ? Math.abs(Math.log(end / start)) : scale && Math.abs(end - start) / scale;
  return { text: still ? t("{line} stayed at {end}", said) : moved, size, from: steps[i], to: steps[j] };
}
