/** When to paint: on the next frame if idle, otherwise at most about twenty times a second. */

const FRAME = 50;
const TEXT_EVERY = 250;
const SLACK = 4;
// Many runs laid over each other: what a frame may take before charts take turns, in milliseconds.
const LONG = 60;

/** Paints a panel's charts in one animation frame, and its words a few times a second. */
export class Painter {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.pending = false;
    this.painted = -Infinity;
    this.cost = 0;
    this.share = 0;
    this.busy = 0;
    this.writing = 0;
    this.fresh = false;
    this.stopped = false;
  }

  /** Ask for one redraw; `fresh` says that there is new data to announce. */
  schedule(fresh = false) {
    this.fresh ||= fresh;
    if (this.pending || this.stopped) return;
    this.pending = true;
    // Three times the last cost leaves most of the main thread to the page even with 64 tasks.
    const wait = this.painted + Math.max(FRAME, 3 * this.cost, 2 * this.busy) - performance.now();
    const frame = () => requestAnimationFrame(() => this.paint());
    if (wait <= SLACK) frame();
    else setTimeout(frame, wait - SLACK);
  }

  /** Stop for good. */
  stop() {
    this.stopped = true;
    clearTimeout(this.writing);
  }

  paint() {
    this.pending = false;
    if (this.stopped) return;
    this.painted = performance.now();
    let drawn = false;
    const due = this.panel.charts.filter((chart) => chart.dirty && chart.visible);
    const turn = this.turn(due);
    for (const chart of turn) drawn = chart.draw() || drawn;
    if (turn.length < due.length) this.schedule();
    drawn = this.panel.stage.update() || drawn;
    this.weigh(turn.length);
    if (drawn && this.fresh) this.announce();
    this.cost = performance.now() - this.painted;
    this.panel.root.dataset.cost = this.cost.toFixed(1);
    this.write();
  }

  /** The charts to draw now: all, unless that would hold up the page; then those that have waited longest. */
  turn(due) {
    const most = Math.max(1, Math.floor(LONG / this.share));
    if (!this.panel.shared || due.length <= most) return due;
    const turn = due.toSorted((a, b) => a.drawnAt - b.drawnAt).slice(0, most);
    for (const chart of turn) chart.drawnAt = this.painted;
    return turn;
  }

  /** Measure the whole frame, filling in included: without a graphics card that is the larger part. */
  weigh(drawn) {
    if (!this.panel.shared || !drawn) return;
    const start = this.painted;
    setTimeout(() => {
      this.busy = performance.now() - start;
      this.share = this.busy / drawn;
    });
  }

  announce() {
    this.fresh = false;
    const { id, watched, root } = this.panel;
    if (!watched?.history) return;
    const step = watched.history.rows.last();
    root.dataset.step = String(step);
    const time = performance.timeOrigin + performance.now();
    document.dispatchEvent(new CustomEvent("gradnorm:painted", { detail: { run: id, step, time } }));
  }

  write() {
    this.writing ||= setTimeout(() => {
      this.writing = 0;
      this.panel.write();
    }, TEXT_EVERY);
  }
}
