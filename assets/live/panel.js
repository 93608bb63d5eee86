/** The live panel: mounted once by Streamlit, fed by a WebSocket, redrawn on animation frames. */
import { Chart } from "./chart.js";
import { Choices } from "./choices.js";
import { Contender } from "./contender.js";
import { element } from "./dom.js";
import { FINAL, Header } from "./header.js";
import { Leaders } from "./leaders.js";
import { Toolbar } from "./legend.js";
import { tasksOf } from "./lines.js";
import { Painter } from "./painter.js";
import { RaceBar } from "./race.js";
import { replaying } from "./replay.js";
import { loadStyles, observeCharts } from "./shell.js";
import { Stage } from "./stage.js";
import { TaskTable } from "./table.js";
import { Theme } from "./theme.js";
import { horizon } from "./ticks.js";
import { TimeTravel } from "./travel.js";

const LOOK_EVERY = 1000;
const MOST_TELLS = 20;
const panels = new WeakMap();
let mounted = 0;

/** Show `component.data.run`, among `component.data.runs`, in `component.parentElement`; called again it only picks up changes. */
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

export class Panel {
  constructor(parent) {
    this.parent = parent;
    this.syncKey = `gradnorm-${(mounted += 1)}`;
    this.members = [];
    this.choices = new Choices(this);
    this.clear();
    this.build();
    this.watch = setInterval(() => this.look(), LOOK_EVERY);
  }

  build() {
    this.root = element("div", { class: "gn-live", "data-testid": "live-panel", "data-mounts": 1, style: "visibility:hidden" });
    this.header = new Header();
    this.travelBar = new TimeTravel(this);
    this.raceBar = new RaceBar(this);
    this.toolbar = new Toolbar(this.choices);
    this.leaders = new Leaders(this);
    this.table = new TaskTable();
    this.stage = new Stage(this);
    this.grid = element("div", { class: "gn-grid" });
    const parts = [this.header, this.travelBar, this.raceBar, this.toolbar, { node: this.grid }, this.leaders, this.table];
    this.root.append(...parts.map(({ node }) => node));
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
    const slots = [["test", "test"], ["weights", "weights"], ["norms", "norms"], ["more", this.choices.more]];
    this.charts = slots.map(([slot, view]) => new Chart(this, slot, view, this.observers));
    this.grid.append(...this.stage.nodes, ...this.charts.map(({ node }) => node));
    this.toolbar.configure([]);
  }

  clear() {
    this.choices.forget();
    /** @type {Contender | null} */
    this.front = null;
    /** @type {Set<string>} */
    this.spread = new Set();
    this.told = 0;
  }

  /** The run that the page watches, and that header and buttons are about. */
  get watched() {
    return this.members.find(({ id }) => id === this.id) ?? null;
  }

  /** The run in front: the watched one unless another was brought forward. */
  get lead() {
    return [this.front, this.watched, ...this.members].find((member) => member?.history) ?? null;
  }

  /** True when several runs are laid over each other. */
  get shared() {
    return this.members.length > 1;
  }

  get history() {
    return this.lead?.history ?? null;
  }

  /** The server's description of the run in front, once it has come. */
  get run() {
    return this.lead?.run ?? null;
  }

  get state() {
    return this.watched?.state ?? null;
  }

  /** Take what the page passes: other runs, another state, ways to report; without a server, what `connect`s instead of a Feed. */
  apply({ data, setStateValue, setTriggerValue }) {
    this.report = setStateValue;
    this.trigger = setTriggerValue;
    const { run = null, base = "", state, runs = [], connect, prepared } = data ?? {};
    this.connect = connect ?? replaying(prepared);
    const over = this.watched?.feed?.ended || (this.watched?.final && FINAL.has(this.passed));
    const resumed = over && state !== undefined && !FINAL.has(state);
    this.passed = state;
    const list = runs.length ? runs : run ? [{ run, label: "" }] : [];
    const drawn = JSON.stringify(list);
    if (run !== this.id || base !== this.base) this.open(run, base, list);
    else if (drawn !== this.drawn) this.gather(list);
    // A race goes on as a whole.
    else if (resumed) this.members.filter(({ final }) => final).forEach((member) => member.listen());
    this.drawn = drawn;
  }

  open(id, base, list) {
    const moved = base !== this.base;
    this.id = id;
    this.base = base;
    this.clear();
    this.toolbar.zoomed(false);
    this.table.clear();
    this.root.dataset.run = id ?? "";
    this.root.dataset.state = "";
    this.root.dataset.step = "";
    this.header.clear();
    if (id) this.header.open(id, base);
    this.gather(list, moved);
    if (!id) this.toolbar.configure([]);
    // One that was drawn beside another may be the watched one now.
    if (this.watched?.history) this.began(this.watched, false);
    if (this.watched?.status) this.followed(this.watched, null);
  }

  /** Draw these runs; what is held of a run that stays is kept. */
  gather(list, anew = false) {
    const wanted = new Set(anew ? [] : list.map(({ run }) => run));
    const kept = new Map();
    for (const member of this.members) {
      if (wanted.has(member.id)) kept.set(member.id, member);
      else member.close();
    }
    this.members = [];
    for (const [place, { run, label }] of list.entries()) {
      const member = kept.get(run) ?? new Contender(this, run, this.base);
      if (member.history) member.history.detail = null;
      member.call(label, place);
      this.members.push(member);
    }
    if (!this.members.includes(this.front)) this.front = null;
    this.choices.spot = null;
    this.arrange();
  }

  /** Make everything anew that depends on which runs are drawn, and which is in front. */
  arrange() {
    if (this.run) {
      this.tasks = tasksOf(this.run, this.shared);
      this.choices.showSome(this.tasks);
      this.toolbar.configure(this.tasks);
      this.table.configure(this.history, this.tasks, this.shared ? this.lead.key : "");
    }
    [this.stage, ...this.charts, this.raceBar, this.leaders, this.travelBar].forEach((part) => part.configure());
    this.schedule();
  }

  /** A run has said what it is. */
  began(member, anew) {
    if (member === this.watched) this.header.title.textContent = member.run.title ?? member.id;
    if (anew) this.arrange();
  }

  /** A run's connection came, went or ended. */
  linked(member, link) {
    if (member === this.watched) this.header.connection(link);
  }

  /** A run has said where it stands. */
  followed(member, before) {
    const { state, status } = member;
    if (member === this.watched) {
      this.root.dataset.state = state;
      this.header.status(status, member.step);
    }
    if (before === state) return;
    this.raceBar.update();
    this.charts.forEach((chart) => (chart.dirty = true));
    this.schedule();
    if (member !== this.watched) return;
    this.told = 0;
    if ((before ?? this.passed ?? state) !== state) this.tell();
  }

  /** A run has other checkpoints. */
  kept(member) {
    if (member === this.lead) this.travelBar.update();
  }

  /** Have Streamlit run the page again for the new state. Streamlit drops a value that it has been told before. */
  tell() {
    this.told += 1;
    this.report?.("state", `${this.id} ${this.state} ${this.told}`);
  }

  mark(evaluations, fresh) {
    // New steps move the x range of every chart, the evaluations' too.
    this.charts.forEach((chart) => (chart.dirty ||= !this.choices.zoom || chart.sparse === evaluations));
    this.schedule(fresh);
  }

  /** The visible x range. */
  range() {
    if (this.choices.zoom) return this.choices.zoom;
    const drawn = this.members.filter(({ history }) => history);
    const last = Math.max(...drawn.map(({ history }) => history.last()));
    const steps = Math.max(...drawn.map(({ status, run }) => status?.steps ?? run.steps));
    return { min: 0, max: horizon(last, steps, drawn.every(({ final }) => final)) };
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
    if (this.watched?.status) this.header.progress(this.watched.status, this.watched.step);
    this.raceBar.update();
    this.leaders.update();
    this.charts.forEach((chart) => chart.speak());
  }

  /** Bring a run to the front: its targets, marks, tasks and checkpoints are shown. */
  raise(member) {
    if (member === this.lead || !member.history) return;
    this.front = member;
    this.choices.travel = null;
    this.arrange();
  }

  recolor() {
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
    this.arrange();
  }

  paintTheme() {
    this.root.dataset.theme = this.theme.dark ? "dark" : "light";
  }

  destroy() {
    this.alive = false;
    this.members.forEach((member) => member.close());
    clearInterval(this.watch);
    clearTimeout(this.choices.asking);
    this.painter.stop();
    this.observers.resize.disconnect();
    this.observers.seen.disconnect();
    this.charts.forEach((chart) => chart.drop());
    this.root.remove();
  }
}
