/** What the reader has chosen: scales, smoothing, tasks shown, zoom, and what is pointed at. */
import { readView, withView } from "./address.js";
import { horizon } from "./ticks.js";

const DETAIL_DELAY = 150;
// What a zoom shows at least.
const LEAST_STEPS = 2;
// Browsers refuse an address that changes as fast as a slider moves.
const WRITE_DELAY = 300;
// Beyond as many as dashes tell apart, each contender has a colour.
const MANY_CONTENDERS = 8;

/** A panel's choices. Those about one run are forgotten with it; the others stay. */
export class Choices {
  constructor(panel) {
    this.panel = panel;
    this.path = location.pathname;
    this.view = readView(location.search);
    this.forget();
  }

  /** Scales by view, true for logarithmic; what is not here is chosen by the data. */
  get log() {
    return this.view.log;
  }

  get smoothing() {
    return this.view.smoothing;
  }

  /** The tasks that are not shown, from 0. */
  get hidden() {
    return this.view.hidden;
  }

  /** The tasks that were brought forward from among many, from 0. */
  get forward() {
    return this.view.forward;
  }

  /** True when colour tells contenders apart, and one task is shown at a time; where they are many, unless told otherwise. */
  get byContender() {
    const { shared, entrants } = this.panel;
    return shared && (this.view.colour || (entrants.length > MANY_CONTENDERS ? "contender" : "task")) === "contender";
  }

  /** The task that is shown then. */
  get task() {
    return Math.min(this.view.task, (this.panel.run?.tasks.length ?? 1) - 1);
  }

  /** Change what is drawn, as {colour, each, task, forward}. */
  draw(changes) {
    Object.assign(this.view, changes);
    this.changed();
    this.focus = -1;
    this.spot = null;
    this.panel.arrange();
  }

  /** What the fourth chart shows. */
  get more() {
    return this.view.more;
  }

  get zoom() {
    return this.view.zoom;
  }

  set zoom(zoom) {
    this.view.zoom = zoom;
  }

  /** Another run is shown: zoom and the run in front are those of the address if it names that run, else none. */
  open(run) {
    const { zoom, front, run: named } = readView(location.search);
    const its = run === named;
    Object.assign(this.view, { zoom: its ? zoom : null, front: its ? front : null });
    this.panel.toolbar.tools.read();
  }

  /** Show what the address says, as after Back; what it says of another run is for when that is shown. */
  read() {
    const { panel } = this;
    if (!panel.root.isConnected) return;
    this.view = readView(location.search);
    this.open(panel.id);
    for (const { history } of this.drawn) {
      history.detail = null;
      history.setSmoothing(this.smoothing);
    }
    panel.charts.at(-1).setView(this.more);
    panel.arrange();
    this.refine();
  }

  /** Write into the address what is shown, unless it is already of another run or page. */
  write() {
    const { panel, view } = this;
    clearTimeout(this.writing);
    if (location.pathname !== this.path || !panel.root.isConnected) return;
    if (new URLSearchParams(location.search).get("run") !== panel.id) return;
    const search = withView(location.search, view);
    if (search !== withView(location.search, readView(location.search))) history.replaceState(history.state, "", location.pathname + search);
  }

  /** Have the address say soon what is shown now. */
  changed() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.write(), WRITE_DELAY);
  }

  /** Another run is watched. focus: a task; spot: a run pointed at; travel: the step of a checkpoint. */
  forget() {
    this.focus = -1;
    /** @type {import("./contender.js").Contender | import("./team.js").Team | null} */
    this.spot = null;
    /** @type {number | null} */
    this.travel = null;
  }

  get drawn() {
    return this.panel.members.filter(({ history }) => history);
  }

  /** The visible x range. */
  range() {
    return this.zoom ?? this.all();
  }

  /** The x range without a zoom. */
  all() {
    const { drawn } = this;
    const last = Math.max(...drawn.map(({ history }) => history.last()));
    const steps = Math.max(...drawn.map(({ status, run }) => status?.steps ?? run.steps));
    return { min: 0, max: horizon(last, steps, drawn.every(({ final }) => final)) };
  }

  setZoom(zoom) {
    const { panel, drawn } = this;
    if ((!zoom && !this.zoom) || !drawn.length) return;
    this.zoom = zoom;
    for (const { history } of drawn) history.detail = null;
    for (const { shift, numbers } of panel.charts) {
      shift.expect();
      numbers.forget();
    }
    panel.toolbar.tools.read();
    this.redraw(() => true);
    this.refine();
    this.changed();
  }

  /** Show `factor` times as many steps around a step, at most all. */
  zoomBy(factor, around) {
    const { min, max } = this.range();
    this.look(around - (around - min) * factor, around + (max - around) * factor);
  }

  /** Move what is seen by a share of its width; that of all steps stays. */
  pan(share) {
    const { min, max } = this.range();
    this.look(min + share * (max - min), max + share * (max - min));
  }

  /** Show the steps from `min` to `max` as far as there are any, all of them where that is more. */
  look(min, max) {
    const all = this.all();
    const width = Math.max(LEAST_STEPS, max - min);
    if (width >= all.max - all.min) return this.setZoom(null);
    const from = Math.min(Math.max(all.min, min), all.max - width);
    return this.setZoom({ min: from, max: from + width });
  }

  /** Ask soon for the finer rows of the zoomed range, where rows are thinned. */
  refine() {
    clearTimeout(this.asking);
    const thinned = this.drawn.some(({ history }) => history.rows.stride > 1);
    if (this.zoom && thinned) this.asking = setTimeout(() => this.ask(), DETAIL_DELAY);
  }

  /** Ask the server for the finer rows of the zoomed range. */
  ask() {
    if (!this.zoom) return;
    const detail = [Math.floor(this.zoom.min), Math.ceil(this.zoom.max)];
    for (const { history, feed } of this.drawn) if (history.rows.stride > 1) feed?.send({ detail });
  }

  /** Smooth the lines by a factor in [0, 1); 0 draws them as measured. */
  setSmoothing(factor) {
    const turned = Boolean(factor) !== Boolean(this.smoothing);
    this.view.smoothing = factor;
    this.changed();
    for (const { history } of this.drawn) history.setSmoothing(factor);
    const charts = this.panel.charts.filter((chart) => !chart.sparse);
    charts.forEach((chart) => (turned ? chart.configure() : (chart.dirty = true)));
    this.panel.schedule();
  }

  setLog(view, log) {
    this.log[view] = log;
    this.changed();
    this.panel.charts.filter((chart) => chart.name === view).forEach((chart) => chart.configure());
    this.panel.schedule();
  }

  setMore(view) {
    this.view.more = view;
    this.changed();
    this.panel.charts.at(-1).setView(view);
    this.panel.schedule();
  }

  /** Sort the table of the race, as {by, down}. */
  setSort(sort) {
    this.view.sort = sort;
    this.changed();
    this.panel.leaders.update();
  }

  setHidden(hidden) {
    this.view.hidden = hidden;
    this.changed();
    if (hidden.has(this.focus)) this.focus = -1;
    this.panel.toolbar.update();
    this.panel.charts.forEach((chart) => chart.rehide());
    this.panel.schedule();
  }

  /** At least one of the tasks is shown. */
  showSome(tasks) {
    if (tasks.every((_, i) => this.hidden.has(i))) this.hidden.clear();
  }

  /** Fade all tasks but one, or none. */
  setFocus(task) {
    const focus = this.hidden.has(task) ? -1 : task;
    if (focus === this.focus) return;
    this.focus = focus;
    this.panel.recolor();
  }

  /** Fade all runs but one, or none. */
  setSpot(member) {
    if (member === this.spot) return;
    this.spot = member;
    this.panel.recolor();
  }

  /** Show a step on all charts, that of a checkpoint to travel to; null for none. */
  setTravel(step) {
    if (step === this.travel) return;
    this.travel = step;
    this.panel.recolor();
    this.panel.charts.forEach((chart) => chart.plot && chart.hover(chart.plot));
  }

  close() {
    clearTimeout(this.asking);
    clearTimeout(this.writing);
  }

  redraw(which) {
    this.panel.charts.forEach((chart) => (chart.dirty ||= which(chart)));
    this.panel.schedule();
  }
}
