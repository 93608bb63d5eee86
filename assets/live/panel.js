/** The live panel: mounted once by Streamlit, fed by a WebSocket, redrawn on animation frames. */
import { Chart } from "./chart.js";
import { element } from "./dom.js";
import { Feed } from "./feed.js";
import { FINAL, Header } from "./header.js";
import { Toolbar } from "./legend.js";
import { Rows, refine } from "./series.js";
import { loadStyles, observeCharts } from "./shell.js";
import { TaskTable } from "./table.js";
import { Theme } from "./theme.js";
import { horizon } from "./ticks.js";
import { evaluationLayout, evaluationRow, rowLayout } from "./views.js";

const FRAME = 50;
const TEXT_EVERY = 250;
const DETAIL_DELAY = 150;
const THEME_EVERY = 1000;
const panels = new WeakMap();
let mounted = 0;

/** Show `component.data.run` in `component.parentElement`; called again it only picks up changes. */
export function mount(component) {
  const parent = component.parentElement;
  let panel = panels.get(parent);
  if (!panel) panels.set(parent, (panel = new Panel(parent)));
  panel.apply(component);
}

/** Close the panel of `parentElement` and its socket. */
export function unmount(parentElement) {
  panels.get(parentElement)?.destroy();
  panels.delete(parentElement);
}

class Panel {
  constructor(parent) {
    this.parent = parent;
    this.syncKey = `gradnorm-${(mounted += 1)}`;
    this.settings = { log: {}, smoothing: 0, hidden: new Set(), more: "ratios" };
    this.clear();
    this.build();
    this.watch = setInterval(() => this.look(), THEME_EVERY);
  }

  build() {
    this.root = element("div", { class: "gn-live", "data-testid": "live-panel", "data-mounts": 1, style: "visibility:hidden" });
    this.header = new Header();
    this.toolbar = new Toolbar(this, this.settings);
    this.table = new TaskTable();
    this.grid = element("div", { class: "gn-grid" });
    this.root.append(this.header.node, this.toolbar.node, this.grid, this.table.node);
    this.parent.append(this.root);
    this.theme = new Theme(this.root);
    this.paintTheme();
    this.alive = true;
    loadStyles(this.root, () => {
      this.root.style.visibility = "";
      if (this.alive) this.look();
    });
    this.observers = observeCharts(this);
    const slots = [["weights", "weights"], ["norms", "norms"], ["test", "test"], ["more", this.settings.more]];
    this.charts = slots.map(([slot, view]) => new Chart(this, slot, view, this.observers));
    this.grid.append(...this.charts.map(({ node }) => node));
    this.toolbar.configure([]);
  }

  clear() {
    Object.assign(this, { run: null, rows: null, evaluations: null, detail: null, status: null, zoom: null });
    Object.assign(this, { focus: -1, fresh: false, spread: new Set(), state: null });
  }

  /** Take what Streamlit passes: another run, another state, a new way to report. */
  apply({ data, setStateValue }) {
    this.report = setStateValue;
    const { run = null, base = "", state } = data ?? {};
    this.passed = state;
    const resumed = this.feed?.ended && state !== undefined && !FINAL.has(state);
    if (run === this.id && base === this.base) {
      if (resumed) this.listen();
      return;
    }
    this.open(run, base);
  }

  open(id, base) {
    this.feed?.close();
    this.feed = null;
    this.id = id;
    this.base = base;
    this.clear();
    this.toolbar.zoomed(false);
    this.table.clear();
    this.root.dataset.run = id ?? "";
    this.root.dataset.state = "";
    this.root.dataset.step = "";
    this.header.clear();
    this.charts.forEach((chart) => chart.configure());
    if (!id) this.toolbar.configure([]);
    if (id) {
      this.header.open(id, base);
      this.listen();
    }
    this.schedule();
  }

  listen() {
    this.feed?.close();
    this.feed = new Feed({
      base: this.base,
      run: this.id,
      since: () => this.rows?.last() ?? 0,
      onText: (message) => this.receive(message),
      onRows: (rows) => this.take(rows),
      onLink: (link) => this.header.connection(link),
    });
  }

  receive(message) {
    if (message.type === "run") this.begin(message);
    if (message.type === "status") this.follow(message);
    if (message.type === "evaluations" && this.run) this.evaluate(message.rows ?? []);
  }

  begin(run) {
    this.header.title.textContent = run.title ?? run.run;
    // After a reconnect the same run goes on: what is held stays.
    if (this.run && this.run.columns.join() === run.columns.join()) return;
    this.run = run;
    this.layout = rowLayout(run);
    this.evaluationLayout = evaluationLayout(run);
    const tasks = run.tasks.length;
    const mean = this.layout.gradient_norms < 0 ? null : { first: this.layout.gradient_norms, count: tasks };
    this.rows = new Rows(run.columns.length, { alpha: this.layout.alpha, mean });
    this.rows.stride = run.stride || 1;
    this.rows.setSmoothing(this.settings.smoothing);
    this.evaluations = new Rows(this.evaluationLayout.width);
    const { hidden } = this.settings;
    if (run.tasks.every((_, i) => hidden.has(i))) hidden.clear();
    this.toolbar.configure(run.tasks);
    this.table.configure(run, this.layout, this.evaluationLayout);
    this.charts.forEach((chart) => chart.configure());
    this.schedule();
  }

  follow(status) {
    const before = this.state;
    this.status = status;
    this.state = status.state;
    this.root.dataset.state = status.state;
    if (this.feed) this.feed.final = FINAL.has(status.state);
    this.header.status(status, this.step());
    if (before === status.state) return;
    this.charts.forEach((chart) => (chart.dirty = true));
    this.schedule();
    const known = before ?? this.passed ?? status.state;
    if (known !== status.state) this.report?.("state", status.state);
  }

  take({ detail, count, width, stride, values }) {
    if (!this.run || width !== this.rows.width || !count) return;
    if (detail) {
      if (this.zoom) this.detail = refine(this.rows, values, count, stride);
    } else {
      this.rows.append(values, count, stride);
      this.detail?.append(values, count, stride);
      this.fresh = true;
    }
    this.mark(false);
  }

  evaluate(evaluations) {
    for (const evaluation of evaluations) {
      if (evaluation.step > this.evaluations.last(-1)) this.evaluations.append(evaluationRow(this.run, evaluation), 1, 1);
    }
    this.fresh = true;
    this.mark(true);
  }

  mark(evaluations) {
    // New steps move the x range of every chart, the evaluations' too.
    this.charts.forEach((chart) => (chart.dirty ||= !this.zoom || chart.sparse === evaluations));
    this.schedule();
  }

  step() {
    return Math.max(this.status?.step ?? 0, this.rows?.last() ?? 0);
  }

  /** The visible x range. */
  range() {
    if (this.zoom) return this.zoom;
    const last = Math.max(this.rows.last(), this.evaluations.last());
    return { min: 0, max: horizon(last, this.run.steps, FINAL.has(this.state)) };
  }

  /** Run something before the next paint, outside the present one. */
  later(action) {
    queueMicrotask(() => {
      action();
      this.schedule();
    });
  }

  /** Ask for one redraw: on the next frame when idle, else when the last one is old enough. */
  schedule() {
    if (this.pending || !this.alive) return;
    this.pending = true;
    const wait = (this.painted ?? -Infinity) + Math.max(FRAME, 3 * (this.cost ?? 0)) - performance.now();
    const frame = () => requestAnimationFrame(() => this.paint());
    if (wait <= 4) frame();
    else setTimeout(frame, wait - 4);
  }

  paint() {
    this.pending = false;
    if (!this.alive) return;
    const start = performance.now();
    let drawn = false;
    for (const chart of this.charts) if (chart.dirty && chart.visible) drawn = chart.draw() || drawn;
    if (drawn && this.fresh) this.announce();
    this.painted = start;
    this.cost = performance.now() - start;
    this.root.dataset.cost = this.cost.toFixed(1);
    this.write();
  }

  announce() {
    this.fresh = false;
    const step = this.rows.last();
    this.root.dataset.step = String(step);
    const time = performance.timeOrigin + performance.now();
    document.dispatchEvent(new CustomEvent("gradnorm:painted", { detail: { run: this.id, step, time } }));
  }

  /** Update the words and numbers, a few times a second at most. */
  write() {
    if (this.writing) return;
    this.writing = setTimeout(() => {
      this.writing = 0;
      if (this.rows) this.table.update(this.rows, this.evaluations);
      if (this.status) this.header.progress(this.status, this.step());
      this.charts.forEach((chart) => chart.speak());
    }, TEXT_EVERY);
  }

  setZoom(zoom) {
    if (!zoom && !this.zoom) return;
    this.zoom = zoom;
    this.detail = null;
    this.toolbar.zoomed(Boolean(zoom));
    this.charts.forEach((chart) => (chart.dirty = true));
    this.schedule();
    clearTimeout(this.asking);
    if (zoom && this.rows.stride > 1) this.asking = setTimeout(() => this.ask(), DETAIL_DELAY);
  }

  ask() {
    if (this.zoom) this.feed?.send({ detail: [Math.floor(this.zoom.min), Math.ceil(this.zoom.max)] });
  }

  setSmoothing(factor) {
    this.settings.smoothing = factor;
    this.rows?.setSmoothing(factor);
    this.detail?.setSmoothing(factor);
    this.charts.forEach((chart) => (chart.dirty ||= !chart.sparse));
    this.schedule();
  }

  setLog(view, log) {
    this.settings.log[view] = log;
    this.charts.filter((chart) => chart.name === view).forEach((chart) => chart.configure());
    this.schedule();
  }

  setMore(view) {
    this.settings.more = view;
    this.charts.at(-1).setView(view);
    this.schedule();
  }

  setHidden(hidden) {
    this.settings.hidden = hidden;
    this.toolbar.update();
    this.charts.forEach((chart) => chart.rehide());
    this.schedule();
  }

  setFocus(focus) {
    if (focus === this.focus) return;
    this.focus = focus;
    this.charts.forEach((chart) => chart.recolor());
  }

  /** Once a second: has the theme changed, and is the panel still in the page? */
  look() {
    if (!this.root.isConnected) {
      unmount(this.parent);
      return;
    }
    if (!this.theme.read()) return;
    this.paintTheme();
    this.charts.forEach((chart) => chart.recolor());
  }

  paintTheme() {
    this.root.dataset.theme = this.theme.dark ? "dark" : "light";
  }

  destroy() {
    this.alive = false;
    this.feed?.close();
    clearInterval(this.watch);
    clearTimeout(this.asking);
    clearTimeout(this.writing);
    this.observers.resize.disconnect();
    this.observers.seen.disconnect();
    this.charts.forEach((chart) => chart.drop());
    this.root.remove();
  }
}
