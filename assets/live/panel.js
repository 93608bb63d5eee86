/** The live panel: mounted once by Streamlit, fed by a WebSocket, redrawn on animation frames. */
import { Cast } from "./cast.js";
import { Chart } from "./chart.js";
import { Choices } from "./choices.js";
import { Crier } from "./crier.js";
import { element } from "./dom.js";
import { FINAL, Header } from "./header.js";
import { Leaders } from "./leaders.js";
import { Toolbar } from "./legend.js";
import { Crowd } from "./crowd.js";
import { tasksOf } from "./lines.js";
import { Page } from "./page.js";
import { Painter } from "./painter.js";
import { RaceBar } from "./race.js";
import { replaying } from "./replay.js";
import { loadStyles, observeCharts } from "./shell.js";
import { Stage } from "./stage.js";
import { TaskTable } from "./table.js";
import { Theme } from "./theme.js";
import { TimeTravel } from "./travel.js";
import { language, speak } from "./words.js";

export { speak };

const LOOK_EVERY = 1000;
const panels = new WeakMap();
let mounted = 0;

/** Show `component.data.run`, among `component.data.runs`, in `component.parentElement`; called again it only picks up changes. */
export function mount(component) {
  const parent = component.parentElement;
  // What was written in another language is written anew.
  if (panels.get(parent)?.language !== language()) unmount(parent);
  let panel = panels.get(parent);
  if (!panel) panels.set(parent, (panel = new Panel(parent)));
  panel.apply(component);
}

/** Close the panel of `parentElement` and its socket. */
export function unmount(parentElement) {
  panels.get(parentElement)?.destroy();
  panels.delete(parentElement);
}

export class Panel extends Cast {
  constructor(parent) {
    super();
    this.parent = parent;
    this.language = language();
    this.syncKey = `gradnorm-${(mounted += 1)}`;
    this.crowd = new Crowd(this);
    this.page = new Page(this);
    this.choices = new Choices(this);
    this.clear();
    this.build();
    this.watch = setInterval(() => this.look(), LOOK_EVERY);
    this.returned = () => this.choices.read();
    addEventListener("popstate", this.returned);
  }

  build() {
    this.root = element("div", { class: "gn-live", "data-testid": "live-panel", "data-mounts": 1, style: "visibility:hidden" });
    this.header = new Header(this);
    this.travelBar = new TimeTravel(this);
    this.raceBar = new RaceBar(this);
    this.toolbar = new Toolbar(this.choices);
    this.leaders = new Leaders(this);
    this.table = new TaskTable();
    this.crier = new Crier();
    this.stage = new Stage(this);
    this.grid = element("div", { class: "gn-grid" });
    const parts = [this.header, this.travelBar, this.raceBar, this.toolbar, { node: this.grid }, this.leaders, this.table, this.crier];
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
    /** @type {Set<string>} */
    this.spread = new Set();
  }

  /** Take what the page passes: other runs, another state, ways to report; without a server, what `connect`s instead of a Feed. */
  apply(component) {
    const { run = null, base = "", state, runs = [], connect, prepared } = component.data ?? {};
    this.connect = connect ?? replaying(prepared);
    const over = this.watched?.feed?.ended || (this.watched?.final && FINAL.has(this.page.state));
    const resumed = over && state !== undefined && !FINAL.has(state);
    this.page.hear(component);
    const list = runs.length ? runs : run ? [{ run, label: "" }] : [];
    const drawn = JSON.stringify(list);
    if (run !== this.id || base !== this.base) this.open(run, base, list);
    else if (drawn !== this.drawn) this.draw(list);
    // A race goes on as a whole.
    else if (resumed) this.members.filter(({ final }) => final).forEach((member) => member.listen());
    this.drawn = drawn;
    this.repaint();
  }

  open(id, base, list) {
    const moved = base !== this.base;
    this.id = id;
    this.base = base;
    this.clear();
    this.choices.open(id);
    this.table.clear();
    this.root.dataset.run = id ?? "";
    this.root.dataset.state = "";
    this.root.dataset.step = "";
    this.header.clear();
    this.draw(list, moved);
    if (!id) this.toolbar.configure([]);
    // One that was drawn beside another may be the watched one now.
    if (this.watched?.history) this.began(this.watched, false);
    if (this.watched?.status) this.followed(this.watched, null);
  }

  draw(list, anew = false) {
    this.gather(list, anew);
    this.choices.spot = null;
    this.arrange();
  }

  /** Make everything anew that depends on which runs are drawn, and which is in front. */
  arrange() {
    this.header.update();
    this.enter(!this.choices.view.each);
    if (this.run) {
      this.crowd.choose(true);
      this.tasks = tasksOf(this.run, this.shared);
      this.choices.showSome(this.tasks);
      this.toolbar.configure(this.tasks, this.crowd);
      this.table.configure(this.history, this.tasks, this.shared ? this.lead.key : "");
    }
    [this.stage, ...this.charts, this.raceBar, this.leaders, this.travelBar].forEach((part) => part.configure());
    this.schedule();
  }

  /** A run has said what it is, or has another title. */
  began(member, anew) {
    if (anew) this.arrange();
    else this.header.update();
  }

  /** A run's connection came, went or ended. */
  linked(member, link) {
    if (member.link === link) return;
    member.link = link;
    this.header.update();
    // The page does not know yet that it was deleted.
    if (member === this.watched && link === "unknown" && member.run) this.page.tellGone();
  }

  /** A run has said where it stands. */
  followed(member, before) {
    const { state } = member;
    this.header.update();
    if (member === this.watched) {
      this.root.dataset.state = state;
      this.page.compare();
    }
    // All that it has is here: a range that the address zooms to can be refined.
    if (before === null) this.choices.refine();
    if (before === state) return;
    this.raceBar.update();
    this.charts.forEach((chart) => (chart.dirty = true));
    this.schedule();
    if (member === this.watched) this.page.moved(before);
  }

  /** A run has other checkpoints. */
  kept(member) {
    if (member === this.lead) this.travelBar.update();
  }

  mark(evaluations, fresh) {
    // New steps move the x range of every chart, the evaluations' too.
    this.charts.forEach((chart) => (chart.dirty ||= !this.choices.zoom || chart.sparse === evaluations));
    this.schedule(fresh);
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
    this.header.update();
    this.raceBar.update();
    this.leaders.update();
    this.charts.forEach((chart) => chart.speak());
  }

  /** Bring a run to the front: its targets, marks, tasks and checkpoints are shown. */
  raise(entrant) {
    const member = [this.watched, ...this.members].find((each) => each?.history && entrant.includes(each));
    if (!member || member === this.lead) return;
    this.choices.view.front = member === this.watched ? null : member.id;
    this.choices.travel = null;
    this.choices.changed();
    this.arrange();
  }

  recolor() {
    this.charts.forEach((chart) => chart.recolor());
  }

  /** Once a second: has the theme changed, is the panel still in the page, has the page heard of the state, do other tasks matter? */
  look() {
    if (!this.root.isConnected) {
      unmount(this.parent);
      return;
    }
    // Streamlit writes the address without what the charts show.
    this.choices.write();
    this.page.remind();
    this.page.nameDrawer();
    this.page.openWords();
    this.repaint();
    if (this.crowd.choose()) this.arrange();
  }

  /** Draw in the page's theme, if that has changed. */
  repaint() {
    if (!this.theme.read()) return;
    this.paintTheme();
    this.arrange();
  }

  paintTheme() {
    this.root.dataset.theme = this.theme.dark ? "dark" : "light";
  }

  destroy() {
    this.alive = false;
    this.leave();
    clearInterval(this.watch);
    removeEventListener("popstate", this.returned);
    this.choices.close();
    this.page.close();
    this.painter.stop();
    this.crier.close();
    this.observers.resize.disconnect();
    this.observers.seen.disconnect();
    this.charts.forEach((chart) => chart.drop());
    this.root.remove();
  }
}
