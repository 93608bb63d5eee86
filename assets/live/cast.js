/** The runs that a panel shows, and what is drawn of them. */
import { Channel } from "./channel.js";
import { Contender } from "./contender.js";
import { markings } from "./marking.js";
import { entrantsOf } from "./team.js";

/** A panel's runs. What it is shown on is the `Panel`. */
export class Cast {
  constructor() {
    /** The runs, each with what came of it. @type {Contender[]} */
    this.members = [];
    /** What is drawn: the runs, or the means of those that differ in the seed. @type {(Contender | import("./team.js").Team)[]} */
    this.entrants = [];
    /** Carries the runs where there are several. @type {Channel | null} */
    this.channel = null;
    /** The watched run; undefined until the page has said which. @type {string | null | undefined} */
    this.id = undefined;
    /** @type {string | undefined} */
    this.base = undefined;
    /** @type {import("./choices.js").Choices} */
    this.choices = /** @type {any} */ (null);
  }

  /** The run that the page watches, and that header and buttons are about. */
  get watched() {
    return this.members.find(({ id }) => id === this.id) ?? null;
  }

  /** The run that was brought forward, if any. */
  get front() {
    return this.members.find(({ id }) => id === this.choices.view.front) ?? null;
  }

  /** The run in front: the watched one unless another was brought forward. */
  get lead() {
    return [this.front, this.watched, ...this.members].find((member) => member?.history) ?? null;
  }

  /** What is drawn of the run in front: it, or the mean of its team. */
  get entrant() {
    return this.entrants.find((each) => each.includes(this.lead)) ?? null;
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

  /** Draw these runs; what is held of a run that stays is kept. */
  gather(list, anew = false) {
    const wanted = new Set(anew ? [] : list.map(({ run }) => run));
    const kept = new Map();
    for (const member of this.members) {
      if (wanted.has(member.id)) kept.set(member.id, member);
      else member.close();
    }
    this.members = [];
    if (anew) this.channel = null;
    if (list.length > 1) this.channel ??= new Channel(this.base);
    const marks = markings(list);
    for (const [place, entry] of list.entries()) {
      const member = kept.get(entry.run) ?? new Contender(/** @type {any} */ (this), entry.run, this.base);
      if (member.history) member.history.detail = null;
      member.call(entry, place, marks[place]);
      this.members.push(member);
    }
  }

  /** Decide what is drawn. together: whether runs that differ in the seed are one. */
  enter(together) {
    this.entrants = entrantsOf(this.members, together);
  }

  /** Close what the runs come over. */
  leave() {
    this.members.forEach((member) => member.close());
  }
}
