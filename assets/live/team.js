/** Runs that differ in nothing but the seed, drawn as one: a contender whose rows are their mean. */
import { DASHES, grouped } from "./marking.js";
import { MeanRows } from "./means.js";
import { t } from "./words.js";

const LOST = new Set(["diverged", "failed"]);

/** Stands in for a `Contender` wherever lines are drawn. */
export class Team {
  /** @param {import("./contender.js").Contender[]} members in the order of their places */
  constructor(members, place) {
    const [first] = members;
    this.id = first.id;
    this.members = members;
    this.place = place;
    this.mark = first.mark;
    this.key = first.mark.team;
    this.label = first.entry.team;
    this.dash = [];
    this.color = first.mark.teamColor;
    this.live = new MeanRows(() => this.sound.map((member) => member.rows(false)));
    this.evaluations = new MeanRows(() => this.sound.map((member) => member.rows(true)));
  }

  /** Those that are averaged: runs that broke off are left out, unless all did. */
  get sound() {
    const known = this.members.filter(({ history }) => history);
    const alike = known.filter(({ history }) => history.continues(known[0].run));
    const sound = alike.filter(({ state }) => !LOST.has(state));
    return sound.length ? sound : alike;
  }

  get history() {
    return this.sound[0]?.history ?? null;
  }

  get run() {
    return this.history?.run ?? null;
  }

  get final() {
    return this.members.every(({ final }) => final);
  }

  /** The newest step that all have. */
  get step() {
    return Math.min(...this.sound.map(({ step }) => step));
  }

  /** What its runs are doing, as "finished" or "2 running, 1 diverged"; empty before that is known. */
  get state() {
    const alike = grouped(this.members.filter(({ state }) => state), ({ state }) => state);
    if (alike.length < 2) return alike.map(([{ state }]) => state).join();
    return alike.map(({ length, 0: { state } }) => `${length} ${t(state)}`).join(", ");
  }

  /** How many are averaged, and of how many where those are more. */
  get counted() {
    const [all, sound] = [this.members.length, this.sound.length];
    return sound && sound < all ? t("{sound} of {all}", { sound, all }) : String(all);
  }

  /** How many are averaged, in words. */
  get seeds() {
    return t("{count} seeds", { count: this.counted });
  }

  includes(member) {
    return this.members.includes(member);
  }

  rows(sparse) {
    return sparse ? this.evaluations : this.live;
  }
}

/**
 * What is drawn: the runs themselves, or where `together`, in place of those of one team their mean. They have dashes while
 * an eye tells these apart.
 * @param {import("./contender.js").Contender[]} members
 */
export function entrantsOf(members, together) {
  const teams = together ? grouped(members, ({ mark }) => mark.team) : members.map((member) => [member]);
  const drawn = teams.map((team, place) => (team.length > 1 ? new Team(team, place) : team[0]));
  for (const each of drawn) each.dash = drawn.length > DASHES.length ? [] : each.mark.dash;
  return drawn;
}
