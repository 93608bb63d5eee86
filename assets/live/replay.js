/** A recorded run, played as if it came over the socket: what the first page shows until a visitor starts one. */

const TICK = 40;
// Seconds from the first step to the last.
const LENGTH = 7;

/** @type {Map<string, Promise<any>>} */
const loaded = new Map();

/** The record of a prepared race: `runs`, each with what the socket would say of it. */
export function prepared(base, name) {
  const url = `${base}/live/static/live/${name}.json`;
  if (!loaded.has(url)) loaded.set(url, fetch(url).then((answer) => answer.json()));
  return loaded.get(url);
}

/** What makes replays of a prepared race in place of feeds; undefined without one. */
export function replaying(name) {
  return name ? (asked) => new Replay({ ...asked, name }) : undefined;
}

/** Stands in for a `Feed`: says of one prepared run what is known of it as time goes by. */
export class Replay {
  constructor({ base, name, run, onText, onRows }) {
    this.onText = onText;
    this.onRows = onRows;
    this.final = false;
    this.timer = 0;
    this.sent = 0;
    this.tested = 0;
    this.seen = null;
    prepared(base, name).then(
      ({ runs }) => !this.closed && this.begin(runs.find((each) => each.run === run)),
      () => {}, // a page without it is the page without a run
    );
  }

  /** Nobody listens. */
  send() {
    return false;
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
  }

  get ended() {
    return this.final;
  }

  begin(record) {
    this.record = record;
    this.values = floats(record.rows);
    this.onText(record.hello); // its answers come with it: there is nobody to ask
    // Who asked for less motion gets the end at once.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.show(Infinity);
    this.started = performance.now();
    this.timer = setInterval(() => this.show(((performance.now() - this.started) / 1000 / LENGTH) * record.status.steps), TICK);
    return this.show(0);
  }

  /** Say all that was known at a step. */
  show(step) {
    const { record, values } = this;
    const until = reached(values, record.width, this.sent, step);
    if (until > this.sent) {
      const part = values.subarray(this.sent * record.width, until * record.width);
      this.onRows({ detail: false, count: until - this.sent, width: record.width, stride: record.hello.stride, values: part });
      this.sent = until;
    }
    const rows = record.evaluations.slice(this.tested).filter((each) => each.step <= step);
    this.tested += rows.length;
    if (rows.length) this.onText({ type: "evaluations", rows });
    const seen = record.answers?.findLast((each) => each.step <= step);
    if (seen && seen !== this.seen) this.onText({ type: "answers", answers: (this.seen = seen) });
    const over = step >= record.status.steps;
    const state = over ? record.status.state : "running";
    this.onText({ ...record.status, state, step: Math.min(Math.floor(step), record.status.steps) });
    if (over) clearInterval(this.timer);
  }
}

/** How many rows there are up to a step, at least `from`. */
export function reached(values, width, from, step) {
  let count = from;
  while (count * width < values.length && values[count * width] <= step) count += 1;
  return count;
}

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
