/** When to paint: on the next frame if idle, otherwise at most about twenty times a second. */

const FRAME = 50;
const TEXT_EVERY = 250;
const SLACK = 4;

/** Paints a panel's charts in one animation frame, and its words a few times a second. */
export class Painter {
  constructor(panel) {
    Object.assign(this, { panel, pending: false, painted: -Infinity, cost: 0, writing: 0, fresh: false, stopped: false });
  }

  /** Ask for one redraw; `fresh` says that there is new data to announce. */
  schedule(fresh = false) {
    this.fresh ||= fresh;
    if (this.pending || this.stopped) return;
    this.pending = true;
    // Three times the last cost leaves most of the main thread to the page even with 64 tasks.
    const wait = this.painted + Math.max(FRAME, 3 * this.cost) - performance.now();
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
    for (const chart of this.panel.charts) if (chart.dirty && chart.visible) drawn = chart.draw() || drawn;
    if (drawn && this.fresh) this.announce();
    this.cost = performance.now() - this.painted;
    this.panel.root.dataset.cost = this.cost.toFixed(1);
    this.write();
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
