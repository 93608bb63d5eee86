/** One run of the panel: its socket, what came over it, and what tells it from others. */
import { Feed } from "./feed.js";
import { FINAL } from "./header.js";
import { History } from "./history.js";
import { said } from "./words.js";

/** A run that is drawn; the panel hears of what changed. */
export class Contender {
  constructor(panel, id, base) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.id = id;
    this.base = base;
    /** @type {History | null} */
    this.history = null;
    /** @type {any} */
    this.status = null;
    /** @type {string | null} */
    this.state = null;
    /** What is wrong with the connection, as the header knows it. */
    this.link = "";
    /** @type {Pick<Feed, "final" | "ended" | "send" | "close"> | null} */
    this.feed = null;
    /** @type {number[]} */
    this.checkpoints = [];
    /** What the network answers after some step. @type {any} */
    this.answers = null;
    /** As a team of one; see `Team`. @type {Contender[] | null} */
    this.members = null;
    this.sound = null;
    this.seeds = "";
    this.dash = [];
    this.listen();
  }

  /** Take what the page says of it, its place among those drawn, and what tells it from them; see `markings`. */
  call(entry, place, mark) {
    this.entry = entry;
    this.mark = mark;
    this.label = entry.label;
    this.place = place;
    this.key = mark.key;
    this.color = mark.color;
  }

  /** The server's description of the run, once it has come. */
  get run() {
    return this.history?.run ?? null;
  }

  /** The newest step known. */
  get step() {
    return Math.max(this.status?.step ?? 0, this.history?.rows.last() ?? 0);
  }

  includes(member) {
    return member === this;
  }

  get final() {
    return FINAL.has(this.state);
  }

  /** The rows that a chart draws: evaluations, or live rows with the finer ones of a zoomed range. */
  rows(sparse) {
    if (!this.history) return null;
    return sparse ? this.history.evaluations : (this.history.detail ?? this.history.rows);
  }

  listen() {
    this.feed?.close();
    const asked = {
      base: this.base,
      run: this.id,
      channel: this.panel.channel,
      since: () => this.history?.rows.last() ?? 0,
      onText: (message) => this.receive(message),
      onRows: (rows) => this.take(rows),
      onLink: (link) => this.panel.linked(this, link),
    };
    this.feed = this.panel.connect?.(asked) ?? new Feed(asked);
  }

  receive(message) {
    if (message.type === "run") this.begin(message);
    if (message.type === "status") this.follow(message);
    if (message.type === "checkpoints") this.keep(message.steps ?? []);
    if (message.type === "answers") this.answer(message.answers);
    if (message.type === "events" && this.history) {
      this.history.change(message.rows ?? [], message.known ?? 0);
      this.run.title = said(message.told ?? message.title ?? this.run.title);
      this.panel.began(this, false);
      this.panel.mark(false, false);
    }
    if (message.type === "evaluations" && this.history) {
      this.history.evaluate(message.rows ?? []);
      this.panel.mark(true, true);
    }
  }

  begin(message) {
    const run = inWords(message);
    // After a reconnect the same run goes on: what is held stays.
    const goesOn = this.history?.continues(run);
    const anew = goesOn ? this.history.describe(run) : true;
    if (!goesOn) this.history = new History(run, this.panel.choices.smoothing);
    this.panel.began(this, anew);
  }

  follow(status) {
    const before = this.state;
    this.status = status;
    this.state = status.state;
    if (this.feed) this.feed.final = this.final;
    this.panel.followed(this, before);
  }

  keep(steps) {
    this.checkpoints = steps;
    this.panel.kept(this);
    this.panel.stage.answers.ask();
  }

  /** Ask what the network answers after a step that there is a checkpoint of. */
  async ask(step) {
    if (this.asked === step || !this.run?.answers) return;
    this.asked = step;
    try {
      const answer = await fetch(`${this.base}/live/${encodeURIComponent(this.id)}/answers/${step}`);
      // 204: the checkpoint has gone meanwhile.
      if (answer.status === 200 && this.asked === step) this.answer(await answer.json());
    } catch {
      this.asked = null; // the connection is gone; the next checkpoint asks again
    }
  }

  answer(answers) {
    this.answers = answers;
    this.panel.stage.answers.configure();
  }

  take(rows) {
    const { history, panel } = this;
    if (!history || (rows.detail && !panel.choices.zoom)) return;
    if (!(rows.detail ? history.refine(rows) : history.append(rows))) return;
    panel.mark(false, !rows.detail);
  }

  close() {
    this.feed?.close();
    this.feed = null;
  }
}

/** A run's description with its title and the names of its tasks in the reader's language. */
function inWords(run) {
  const tasks = run.tasks.map((task) => ({ ...task, name: said(task.told ?? task.name) }));
  return { ...run, title: said(run.told ?? run.title), tasks };
}
