/** The live panel: mounted once by Streamlit, fed by a WebSocket, redrawn on animation frames. */
import { Chart } from "./chart.js";
import { element } from "./dom.js";
import { Feed } from "./feed.js";
import { FINAL, Header } from "./header.js";
import { History } from "./history.js";
import { Toolbar } from "./legend.js";
import { Painter } from "./painter.js";
import { loadStyles, observeCharts } from "./shell.js";
import { TaskTable } from "./table.js";
import { Theme } from "./theme.js";
import { horizon } from "./ticks.js";

const DETAIL_DELAY = 150;
const LOOK_EVERY = 1000;
const MOST_TELLS = 20;
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
    this.watch = setInterval(() => this.look(), LOOK_EVERY);
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
    this.painter = new Painter(this);
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
    Object.assign(this, { history: null, status: null, zoom: null });
    Object.assign(this, { focus: -1, spread: new Set(), state: null, told: 0 });
  }

  /** The server's description of the run, once it has come. */
  get run() {
    return this.history?.run ?? null;
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
      since: () => this.history?.rows.last() ?? 0,
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
    if (this.history?.continues(run)) {
      this.history.run = run;
      return;
    }
    this.history = new History(run, this.settings.smoothing);
    const { hidden } = this.settings;
    if (run.tasks.every((_, i) => hidden.has(i))) hidden.clear();
    this.toolbar.configure(run.tasks);
    this.table.configure(this.history);
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
    this.told = 0;
    if ((before ?? this.passed ?? status.state) !== status.state) this.tell();
  }

  /** Have Streamlit run the page again for the new state. Streamlit drops a value that it has been told before. */
  tell() {
    this.told += 1;
    this.report?.("state", `${this.id} ${this.state} ${this.told}`);
  }

  take(rows) {
    const { history } = this;
    if (!history || (rows.detail && !this.zoom)) return;
    if (!(rows.detail ? history.refine(rows) : history.append(rows))) return;
    this.mark(false, !rows.detail);
  }

  evaluate(evaluations) {
    this.history.evaluate(evaluations);
    this.mark(true, true);
  }

  mark(evaluations, fresh) {
    // New steps move the x range of every chart, the evaluations' too.
    this.charts.forEach((chart) => (chart.dirty ||= !this.zoom || chart.sparse === evaluations));
    this.schedule(fresh);
  }

  step() {
    return Math.max(this.status?.step ?? 0, this.history?.rows.last() ?? 0);
  }

  /** The visible x range. */
  range() {
    if (this.zoom) return this.zoom;
    return { min: 0, max: horizon(this.history.last(), this.status?.steps ?? this.run.steps, FINAL.has(this.state)) };
  }

  /** Run something before the next paint, outside the present one. */
  later(action) {
    queueMicrotask(() => {
      action();
      this.schedule();
    });
  }

  /** Ask for a redraw; `fresh` when there is new data. */
  schedule(fresh) {
    this.painter.schedule(fresh);
  }

  /** Update the words and numbers around the charts. */
  write() {
    if (this.history) this.table.update(this.history);
    if (this.status) this.header.progress(this.status, this.step());
    this.charts.forEach((chart) => chart.speak());
  }

  setZoom(zoom) {
    if (!zoom && !this.zoom) return;
    if (!this.history) return;
    this.zoom = zoom;
    this.history.detail = null;
    this.toolbar.zoomed(Boolean(zoom));
    this.charts.forEach((chart) => (chart.dirty = true));
    this.schedule();
    clearTimeout(this.asking);
    if (zoom && this.history.rows.stride > 1) this.asking = setTimeout(() => this.ask(), DETAIL_DELAY);
  }

  ask() {
    if (this.zoom) this.feed?.send({ detail: [Math.floor(this.zoom.min), Math.ceil(this.zoom.max)] });
  }

  setSmoothing(factor) {
    this.settings.smoothing = factor;
    this.history?.setSmoothing(factor);
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
    if (hidden.has(this.focus)) this.focus = -1;
    this.toolbar.update();
    this.charts.forEach((chart) => chart.rehide());
    this.schedule();
  }

  setFocus(task) {
    const focus = this.settings.hidden.has(task) ? -1 : task;
    if (focus === this.focus) return;
    this.focus = focus;
    this.charts.forEach((chart) => chart.recolor());
  }

  /** Once a second: has the theme changed, is the panel still in the page, has the page heard of the state? */
  look() {
    if (!this.root.isConnected) {
      unmount(this.parent);
      return;
    }
    // While Streamlit is cut off, as after the server's restart, what it is told is lost.
    if (this.told && this.told < MOST_TELLS && this.passed !== this.state) this.tell();
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
    this.painter.stop();
    this.observers.resize.disconnect();
    this.observers.seen.disconnect();
    this.charts.forEach((chart) => chart.drop());
    this.root.remove();
  }
}
