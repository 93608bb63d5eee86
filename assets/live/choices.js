/** What the reader has chosen: scales, smoothing, tasks shown, zoom, and what is pointed at. */

const DETAIL_DELAY = 150;

/** A panel's choices. Those about one run are forgotten with it; the others stay. */
export class Choices {
  constructor(panel) {
    this.panel = panel;
    /** @type {Record<string, boolean>} */
    this.log = {};
    this.smoothing = 0;
    /** @type {Set<number>} */
    this.hidden = new Set();
    this.more = "ratios";
    this.forget();
  }

  /** Another run is watched. focus: a task; spot: a run pointed at; travel: the step of a checkpoint. */
  forget() {
    /** @type {{ min: number, max: number } | null} */
    this.zoom = null;
    this.focus = -1;
    /** @type {import("./contender.js").Contender | null} */
    this.spot = null;
    /** @type {number | null} */
    this.travel = null;
  }

  get drawn() {
    return this.panel.members.filter(({ history }) => history);
  }

  setZoom(zoom) {
    const { panel, drawn } = this;
    if ((!zoom && !this.zoom) || !drawn.length) return;
    this.zoom = zoom;
    for (const { history } of drawn) history.detail = null;
    panel.toolbar.zoomed(Boolean(zoom));
    this.redraw(() => true);
    clearTimeout(this.asking);
    const thinned = drawn.some(({ history }) => history.rows.stride > 1);
    if (zoom && thinned) this.asking = setTimeout(() => this.ask(), DETAIL_DELAY);
  }

  /** Ask the server for the finer rows of the zoomed range. */
  ask() {
    if (!this.zoom) return;
    const detail = [Math.floor(this.zoom.min), Math.ceil(this.zoom.max)];
    for (const { history, feed } of this.drawn) if (history.rows.stride > 1) feed?.send({ detail });
  }

  setSmoothing(factor) {
    this.smoothing = factor;
    for (const { history } of this.drawn) history.setSmoothing(factor);
    this.redraw((chart) => !chart.sparse);
  }

  setLog(view, log) {
    this.log[view] = log;
    this.panel.charts.filter((chart) => chart.name === view).forEach((chart) => chart.configure());
    this.panel.schedule();
  }

  setMore(view) {
    this.more = view;
    this.panel.charts.at(-1).setView(view);
    this.panel.schedule();
  }

  setHidden(hidden) {
    this.hidden = hidden;
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

  redraw(which) {
    this.panel.charts.forEach((chart) => (chart.dirty ||= which(chart)));
    this.panel.schedule();
  }
}
