/** One chart: its card in the page, its uPlot, and what it needs to redraw itself. */
import { count, significant } from "./format.js";
import { element, notation, press, segments, write } from "./dom.js";
import { bandsOf, grid, linesOf, presence, remarks, rowAt } from "./lines.js";
import { marksOf } from "./marks.js";
import { extent } from "./paths.js";
import { makePlot } from "./plot.js";
import { Readout, Tag } from "./readout.js";
import { niceRange } from "./ticks.js";
import { MORE_VIEWS, VIEWS } from "./views.js";

const WIDE_SPREAD = 50;

/** A chart card; `slot` is its place ("weights", "norms", "test" or "more"). */
export class Chart {
  constructor(panel, slot, view, observers) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.slot = slot;
    this.lines = [];
    this.bands = [];
    /** @type {any} */
    this.plot = null;
    this.dirty = true;
    this.visible = true;
    this.log = false;
    this.drawnAt = 0;
    this.build();
    this.setView(view);
    observers.resize.observe(this.host);
    observers.seen.observe(this.node);
  }

  get view() {
    return VIEWS[this.name];
  }

  /** True when this chart draws the evaluations rather than the live rows. */
  get sparse() {
    return this.view.source === "evaluations";
  }

  build() {
    this.title = element("h3", { class: "gn-title" });
    this.note = element("span", { class: "gn-note" });
    this.gloss = element("p", { class: "gn-gloss" });
    const options = [["linear", "lin"], ["log", "log"]];
    this.scale = segments("y scale", options, (value) => this.panel.choices.setLog(this.name, value === "log"));
    const controls = element("div", { class: "gn-controls" }, this.scale);
    if (this.slot === "more") {
      const views = MORE_VIEWS.map((name) => [name, VIEWS[name].short]);
      this.switcher = segments("quantity shown", views, (name) => this.panel.choices.setMore(name));
      this.switcher.querySelectorAll("button").forEach((button, i) => (button.title = `${VIEWS[MORE_VIEWS[i]].title} ${VIEWS[MORE_VIEWS[i]].symbol}`));
      controls.prepend(this.switcher);
    }
    this.readout = new Readout();
    this.tag = new Tag();
    this.host = element("div", { class: "gn-plot", role: "img" });
    this.empty = element("p", { class: "gn-empty" });
    const head = element("div", { class: "gn-chart-head" }, [element("div", { class: "gn-heading" }, [this.title, this.note]), controls]);
    const area = element("div", { class: "gn-area" }, [this.host, this.empty]);
    this.node = element("section", { class: "gn-chart", "data-testid": `chart-${this.slot}`, "data-points": 0 }, [head, this.gloss, this.readout.node, area]);
  }

  /** Choose what to show; the plot is made again at the next draw. */
  setView(name) {
    this.name = name;
    const { title, symbol } = this.view;
    this.title.replaceChildren(`${title} `, element("span", { class: "gn-symbol" }, notation(symbol)));
    if (this.switcher) press(this.switcher, name);
    this.configure();
  }

  /** Take the panel's run and settings anew: lines, scale, labels. */
  configure() {
    const { run } = this.panel;
    this.drop();
    this.lines = linesOf(this.panel, this.view, this.sparse);
    this.bands = run ? bandsOf(this.panel, this.view, this.sparse, this.lines) : [];
    write(this.gloss, [this.view.gloss, ...remarks(this.panel, this.view)].join("; "));
    this.note.replaceChildren(...notation(run && this.view.note ? this.view.note(run) : ""));
    this.log = this.wantsLog();
    press(this.scale, this.log ? "log" : "linear");
    this.readout.configure(this.panel.tasks, this.lines, this.panel.entrant);
    this.dirty = true;
  }

  drop() {
    this.plot?.destroy();
    this.plot = null;
    this.tag.hide();
    this.hovered = false;
  }

  wantsLog() {
    const chosen = this.panel.choices.log[this.name];
    if (chosen !== undefined) return chosen;
    return this.view.log ?? this.panel.spread.has(this.name);
  }

  /** True when the user has not hidden this line's task. */
  shows(line) {
    return line.task < 0 || !this.panel.choices.hidden.has(line.task);
  }

  /** A line's colour in this theme, faded while another task or run is in focus. */
  color(line) {
    const { theme, tasks, choices } = this.panel;
    const { focus } = choices;
    const color = line.color ? theme.color(line) : line.task < 0 ? theme.neutral : theme.color(tasks[line.task]);
    const others = focus >= 0 && line.task !== focus && this.lines.length > 1;
    const faded = (others ? 0.18 : (line.opacity ?? 1)) * presence(line, this.panel);
    return faded === 1 ? color : `color-mix(in srgb, ${color} ${100 * faded}%, transparent)`;
  }

  marks() {
    const { history } = this.panel;
    return marksOf(this.panel, history.marks(this.sparse ? history.rows : (history.detail ?? history.rows)));
  }

  /** Where the lines end, up to a step, that stand for a whole run each. */
  ends(max) {
    return this.lines.filter(({ sole }) => sole).map((line) => {
      const rows = this.rowsOf(line);
      const at = Math.max(0, rows.find(max + 0.5) - 1);
      return { key: line.member.key, step: rows.view(0)[at], value: rows.view(line.column)[at], color: this.color(line) };
    });
  }

  /** The rows of the run in front. */
  get rows() {
    return this.panel.lead?.rows(this.sparse) ?? null;
  }

  /** The rows that a line is drawn from. */
  rowsOf(line) {
    return line.member.rows(this.sparse);
  }

  /** The step and value of line i at a step of the cursor: of the nearest row that its run has. null: the newest measured. */
  valueAt(i, step) {
    const line = this.lines[i];
    const rows = this.rowsOf(line);
    const at = step === null ? rows.newestRow(line.column) : rowAt(rows, step);
    return at < 0 ? { x: NaN, value: NaN } : { x: rows.view(0)[at], value: rows.view(line.column)[at] };
  }

  /** Redraw with the newest data; false when there was nothing to draw. */
  draw() {
    this.dirty = false;
    const { run } = this.panel;
    const measured = run && this.lines.some((line) => this.rowsOf(line).measured[line.column]);
    this.node.classList.toggle("gn-is-empty", !measured);
    if (!measured) {
      write(this.empty, this.reason());
      this.readout.show(undefined, () => NaN, () => false, 0);
      this.node.dataset.points = "0";
      return false;
    }
    const sources = [this.rows, ...new Set(this.lines.map((line) => this.rowsOf(line)))];
    const data = [grid(sources), ...this.lines.map((line) => this.rowsOf(line).view(line.column))];
    const x = this.panel.choices.range();
    const y = this.range(data, x);
    this.bounds = { x: [x.min, x.max], y };
    this.plot ??= makePlot(this, this.host, this.size());
    if (this.tag.node.parentNode !== this.plot.over) this.plot.over.append(this.tag.node);
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", x);
      this.plot.setScale("y", { min: y[0], max: y[1] });
    });
    this.describe(data, x);
    return true;
  }

  /** Repaint with other colours; the lines keep their paths. */
  recolor() {
    this.plot?.redraw(false);
  }

  /** Show or hide lines after the set of hidden tasks changed. */
  rehide() {
    this.plot?.batch(() => {
      this.lines.forEach((line, i) => {
        if (this.plot.series[i + 1].show !== this.shows(line)) this.plot.setSeries(i + 1, { show: this.shows(line) });
      });
    });
    this.dirty = true;
  }

  range(data, x) {
    const seen = [Infinity, -Infinity];
    const positive = [Infinity, -Infinity];
    this.lines.forEach((line, i) => {
      if (!this.shows(line)) return;
      const rows = this.rowsOf(line);
      const from = Math.max(0, rows.find(x.min) - 1);
      const to = Math.min(rows.count, rows.find(x.max) + 1);
      if (!this.log) extent(data[i + 1], from, to, false, seen);
      if (this.log || this.view.log === null) extent(data[i + 1], from, to, true, positive);
    });
    for (const { rows, low, high } of this.bands.map(({ of }) => of())) {
      const [from, to] = [rows.find(x.min), rows.find(x.max)];
      for (const edge of [low, high]) extent(edge, from, to, this.log, this.log ? positive : seen);
    }
    if (this.view.log === null && positive[1] / positive[0] > WIDE_SPREAD) this.spreads();
    return niceRange(...(this.log ? positive : seen), this.log);
  }

  /** A spread once wide stays "log by default": the scale must not flicker. */
  spreads() {
    if (this.panel.spread.has(this.name)) return;
    this.panel.spread.add(this.name);
    if (this.wantsLog() !== this.log) this.panel.later(() => this.configure());
  }

  describe(data, x) {
    const { dataset } = this.node;
    dataset.points = String(data[0].length);
    dataset.min = String(x.min);
    dataset.max = String(x.max);
    const { cursor } = this.plot;
    // Rows may have come or been refined under a resting cursor: look up its row again.
    if (cursor.left >= 0) this.plot.setCursor({ left: cursor.left, top: cursor.top }, false);
    this.hover(this.plot);
  }

  /** The cursor moved here or in another chart. */
  hover(u) {
    if (!this.plot) return;
    const steps = u.data[0];
    const at = u.cursor.left >= 0 ? u.cursor.idx : null;
    const hovering = at !== null && at !== undefined;
    const step = hovering ? steps[at] : this.panel.choices.travel;
    const value = (i) => this.valueAt(i, step).value;
    this.readout.show(step ?? steps.at(-1), value, (line) => this.shows(line), this.width);
    if (this.hovered && hovering) this.tag.place(u, this);
    else this.tag.hide();
  }

  size() {
    return { width: this.width || this.host.clientWidth || 320, height: this.height || this.host.clientHeight || 240 };
  }

  /** The card's plot area has a new size. */
  resize(width, height) {
    if (!width || (width === this.width && height === this.height)) return;
    this.width = width;
    this.height = height;
    this.plot?.setSize({ width, height });
  }

  reason() {
    const { run, state } = this.panel;
    if (!run) return "";
    if (this.sparse) return "No evaluation yet";
    if (!this.rows.count) return state === "queued" ? "Waiting in the queue" : "Waiting for the first step";
    return "Not measured by this method";
  }

  /** A sentence that says what the chart shows, for those who cannot see it. */
  speak() {
    const { run } = this.panel;
    if (!run) return this.host.setAttribute("aria-label", `${this.view.title}: no run yet`);
    const head = `Line chart of ${this.view.sentence}, ${run.tasks.length} task${run.tasks.length > 1 ? "s" : ""}`;
    if (!this.rows?.count || !this.plot) return this.host.setAttribute("aria-label", `${head}. ${this.reason()}.`);
    const newest = this.lines.filter((line) => line.kind !== "target").slice(-8);
    const values = newest.map((line) => `${line.label} ${significant(this.rowsOf(line).newest(line.column), 3)}`);
    return this.host.setAttribute("aria-label", `${head}. At step ${count(this.rows.last())}: ${values.join(", ")}.`);
  }
}
