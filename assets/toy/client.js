/** A race in a Web Worker, as the live panel wants it: `connect` takes the place of its socket. */
import { FINAL } from "../live/header.js";
import { t } from "../live/words.js";
import { columns } from "./run.js";

/** One race. Its runs are named by their places: "0", "1", … */
export class Trainer {
  /**
   * @param {Record<string, any>[]} specs flat specs of the toy, one a contender; see `Race`.
   * @param {string[]} titles of the runs.
   * @param {{ light: string, dark: string, dash: number[] }[]} palette the style of each task.
   * @param {(state: string) => void} onState hears the state of the race whenever it changes.
   */
  constructor(specs, titles, palette, onState = () => {}) {
    this.runs = specs.map((spec, place) => hello(String(place), spec, titles[place], palette));
    /** The evaluations of each contender so far. */
    this.results = titles.map((title) => ({ title, evaluations: [] }));
    this.feeds = new Map();
    this.states = specs.map(() => "queued");
    this.onState = onState;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = ({ message }) => this.fail(message);
    this.worker.postMessage({ type: "start", specs });
  }

  /** Feed one run's panel; the argument is that of `Feed`. */
  connect = ({ run, onText, onRows, onLink }) => {
    const place = Number(run);
    const feed = { final: false, ended: false, send: () => false, close: () => this.feeds.delete(place) };
    this.feeds.set(place, { onText, onRows });
    onLink("open");
    onText(this.runs[place]);
    return feed;
  };

  /** The state of the contenders that have not ended, or of the first one. */
  get state() {
    return this.states.find((state) => !FINAL.has(state)) ?? this.states[0];
  }

  go() {
    this.worker.postMessage({ type: "go" });
  }

  pause() {
    this.worker.postMessage({ type: "pause" });
  }

  /** Take one step of a race that is paused. */
  step() {
    this.worker.postMessage({ type: "step" });
  }

  /** Change options such as alpha from the next step on. */
  retune(changes) {
    this.worker.postMessage({ type: "retune", changes });
  }

  /** End the worker. */
  close() {
    this.worker.terminate();
    this.feeds.clear();
  }

  /** Say of all runs that they have failed: of an old browser, above all. */
  fail(fault) {
    const message = t("This browser could not train ({fault}). It should have WebAssembly with SIMD: take one of 2023 or later.", { fault });
    this.runs.forEach(({ steps }, place) => this.hear({ place, message: { type: "status", state: "failed", step: 0, steps, message } }));
  }

  hear({ place, message = null, rows = null }) {
    const feed = this.feeds.get(place);
    if (rows) feed?.onRows(rows);
    else feed?.onText(message);
    if (!message) return;
    if (message.type === "evaluations") this.results[place].evaluations.push(...message.rows);
    if (message.type !== "status") return;
    const before = this.state;
    this.states[place] = message.state;
    if (this.state !== before) this.onState(this.state);
  }
}

/** The first message of the live route. */
function hello(run, spec, title, palette) {
  const tasks = spec.sigmas.map((_, i) => ({ name: t("task {number}", { number: i + 1 }), color: { light: palette[i].light, dark: palette[i].dark }, dash: palette[i].dash }));
  return {
    type: "run", run, title, tasks, recorded: false, has_targets: spec.method === "gradnorm", metrics: ["r2"], task_metrics: tasks.map(() => "r2"),
    errors: [], columns: columns(tasks.length), stride: 1, steps: spec.steps, parent: null, forked_at: 0,
  };
}
