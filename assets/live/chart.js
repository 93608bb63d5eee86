/** One chart: its card in the page, its uPlot, and what it needs to redraw itself. */
import { card } from "./card.js";
import { element, notation, press, write } from "./dom.js";
import { listenToKeys } from "./hands.js";
import { bandsOf, grid, linesOf, presence, remarks, rowAt } from "./lines.js";
import { marksOf } from "./marks.js";
import { Numbers } from "./numbers.js";
import { extent } from "./paths.js";
import { picture } from "./picture.js";
import { makePlot } from "./plot.js";
import { Readout, Tag } from "./readout.js";
import { save } from "./save.js";
import { Shift } from "./shift.js";
import { ghostsOf, smoothedWords } from "./smoothing.js";
import { niceRange } from "./ticks.js";
import { VIEWS } from "./views.js";
import { Voice } from "./voice.js";
import { t } from "./words.js";

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
    this.readout = new Readout();
    this.tag = new Tag();
    this.shift = new Shift(panel);
    this.numbers = new Numbers(this);
    this.voice = new Voice(this);
    const parts = card(this);
    this.node = parts.node;
    this.host = parts.host;
    this.parts = parts;
    listenToKeys(this, this.host);
    this.setView(view);
    observers.resize.observe(this.host);
    observers.seen.observe(this.node);
  }

  get view() {
    return VIEWS[this.name];
  }

  get title() {
    return t(this.view.title);
  }

  /** True when this chart draws the evaluations rather than the live rows. */
  get sparse() {
    return this.view.source === "evaluations";
  }

  /** Choose what to show; the plot is made again at the next draw. */
  setView(name) {
    this.name = name;
    const { symbol } = this.view;
    this.parts.title.replaceChildren(`${this.title} `, element("span", { class: "gn-symbol" }, notation(symbol)));
    if (this.parts.switcher) press(this.parts.switcher, name);
    this.configure();
  }

  /** Take the panel's run and settings anew: lines, scale, labels. */
  configure() {
    const { run } = this.panel;
    this.shift.expect();
    this.redo();
    this.parts.note.replaceChildren(...notation(run && this.view.note ? this.view.note(run) : ""));
    this.numbers.forget();
  }

  /** Make lines and plot anew at the next draw. */
  redo() {
    this.drop();
    const lines = linesOf(this.panel, this.view, this.sparse);
    this.bands = this.panel.run ? bandsOf(this.panel, this.view, this.sparse, lines) : [];
    this.lines = [...ghostsOf(lines, this.panel, this.sparse), ...lines];
    write(this.parts.gloss, [t(this.view.gloss), ...remarks(this.panel, this.view)].join("; ") + smoothedWords(this));
    this.log = this.wantsLog();
    press(this.parts.scale, this.log ? "log" : "linear");
    this.readout.configure(this.panel.tasks, this.told, this.panel.entrant);
    this.dirty = true;
  }

  /** The lines that words are about, those of the run in front first: no targets, and none as a ghost behind itself. */
  get told() {
    const lines = this.lines.filter(({ kind }) => kind !== "target" && kind !== "ghost");
    const rank = ({ member }) => (member === this.panel.entrant ? -1 : member.place);
    return lines.sort((a, b) => rank(a) - rank(b));
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

  /** True when there is anything to draw. */
  get measured() {
    return this.lines.some((line) => this.rowsOf(line).measured[line.column]);
  }

  /** The rows of the run in front. */
  get rows() {
    return this.panel.lead?.rows(this.sparse) ?? null;
  }

  /** The rows that a line is drawn from. */
  rowsOf(line) {
    return line.member.rows(this.sparse);
  }

  /** The values that a line is drawn by. */
  valuesOf(line) {
    const rows = this.rowsOf(line);
    return line.kind === "ghost" ? rows.raw(line.column) : rows.view(line.column);
  }

  /** Step, value and raw value of a line at a step of the cursor: of the nearest row that its run has. null: the newest. */
  valueAt(line, step) {
    const rows = this.rowsOf(line);
    const at = step === null ? rows.newestRow(line.column) : rowAt(rows, step);
    if (at < 0) return { x: NaN, value: NaN, raw: NaN };
    return { x: rows.raw(0)[at], value: this.valuesOf(line)[at], raw: rows.raw(line.column)[at] };
  }

  /** Redraw with the newest data; false when there was nothing to draw. */
  draw() {
    this.dirty = false;
    const { measured } = this;
    this.node.classList.toggle("gn-is-empty", !measured);
    if (!measured) {
      write(this.parts.empty, this.reason());
      this.readout.show(null, this);
      this.node.dataset.points = "0";
      return false;
    }
    const sources = [this.rows, ...new Set(this.lines.map((line) => this.rowsOf(line)))];
    const data = [grid(sources), ...this.lines.map((line) => this.valuesOf(line))];
    const x = this.panel.choices.range();
    const y = this.range(data, x);
    this.bounds = { x: [x.min, x.max], y };
    this.shift.watch(this.title, this.bounds.x, y, this.log);
    if (!this.plot) this.numbers.forget();
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
    this.shift.expect();
    this.numbers.forget();
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
    if (this.wantsLog() !== this.log) this.panel.later(() => this.redo());
  }

  describe(data, x) {
    const { dataset } = this.node;
    dataset.points = String(data[0].length);
    dataset.min = String(x.min);
    dataset.max = String(x.max);
    const { cursor } = this.plot;
    // Rows may have come or been refined under a resting cursor: look up its row again.
    if (this.voice.pointed !== null) this.voice.point(this.voice.pointed, false);
    else if (cursor.left >= 0) this.plot.setCursor({ left: cursor.left, top: cursor.top }, false);
    this.hover(this.plot);
  }

  /** The cursor moved here or in another chart. */
  hover(u) {
    if (!this.plot) return;
    const steps = u.data[0];
    const at = u.cursor.left >= 0 ? u.cursor.idx : null;
    const hovering = at !== null && at !== undefined;
    const step = hovering ? steps[at] : this.panel.choices.travel;
    this.readout.show(step, this, steps.at(-1));
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
    if (this.sparse) return t("No evaluation yet");
    if (!this.rows.count) return state === "queued" ? t("Waiting in the queue") : t("Waiting for the first step");
    return t("Not measured by this method");
  }

  /** Say what the chart shows, for those who do not look at it. */
  speak() {
    this.voice.speak();
    this.numbers.update();
  }

  /** Save the chart as a picture, "PNG" or "SVG". */
  save(kind) {
    // One that was out of sight may not have been drawn.
    if (this.plot || this.draw()) save(this.panel, this.name, kind, (words) => picture(this, words));
  }
}
