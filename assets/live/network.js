/** The network of a run: shared trunk, W, heads; what each task's gradient does at W, as an arrow. */
import { element } from "./dom.js";
import { significant } from "./format.js";
import { t } from "./words.js";

/** The most tasks that are drawn. */
export const MOST_TASKS = 10;

const WIDTH = 480;
const HEIGHT = 232;
const TOP = 26;
const ROOM = HEIGHT - TOP - 14;
// Where the shared layer ends and the heads begin; the longest arrow lies between them.
const W_EDGE = 176;
const HEAD = 340;
const LONGEST = 132;
const SHORTEST = 3;
// Where the columns of the trunk are, and how many units each has.
const TRUNK = [{ x: 12, units: 5 }, { x: 60, units: 6 }, { x: 108, units: 6 }];

/** How long the arrows are, in pixels: in proportion to the norms, the longest one full. NaN where there is none. */
export function lengths(norms) {
  const most = Math.max(0, ...norms.filter(Number.isFinite));
  return norms.map((norm) => (Number.isFinite(norm) && most > 0 ? Math.max(SHORTEST, (LONGEST * norm) / most) : NaN));
}

/** One network. `show` moves it to a row of the run's records. */
export class Network {
  constructor() {
    this.name = element("span", { class: "gn-net-name" });
    this.picture = element("div", { class: "gn-net-picture", role: "img" });
    this.node = element("figure", { class: "gn-net" }, [element("figcaption", {}, this.name), this.picture]);
  }

  /** Draw the network of a run. tasks: with the colours that the theme gives them. */
  configure(member, tasks, colors, shared) {
    this.member = member;
    this.tasks = tasks;
    this.name.textContent = shared ? `${member.key} ${member.label}` : "";
    this.picture.innerHTML = drawing(tasks, colors);
    this.heads = [...this.picture.querySelectorAll(".gn-net-task")].map((node) => ({
      pull: node.querySelector(".gn-net-pull"),
      shaft: node.querySelector(".gn-net-shaft"),
      goal: node.querySelector(".gn-net-goal"),
      head: node.querySelector(".gn-net-head"),
      norm: node.querySelector(".gn-net-norm"),
      loss: node.querySelector(".gn-net-loss"),
    }));
  }

  /** Show what was measured: a list a quantity, with a number a task. */
  show({ norms, targets, losses, weights, step }) {
    const all = lengths([...norms, ...targets]);
    const count = this.heads.length;
    this.heads.forEach((head, i) => {
      place(head.pull, head.shaft, all[i]);
      const goal = all[count + i];
      head.goal.setAttribute("visibility", goal === goal ? "visible" : "hidden");
      if (goal === goal) head.goal.setAttribute("x", String(W_EDGE + goal - 1));
      head.head.setAttribute("r", String(radius(weights[i], count)));
      write(head.norm, norms[i] === norms[i] ? `G ${significant(norms[i], 3)}` : "");
      write(head.loss, [known("L", losses[i]), known("w", weights[i])].filter(Boolean).join(" · "));
    });
    const said = this.tasks.map((task, i) => {
      const now = { task: task.name, norm: significant(norms[i], 3), weight: significant(weights[i], 3), loss: significant(losses[i], 3) };
      return t("{task}: gradient norm {norm}, weight {weight}, loss {loss}", now);
    });
    const whole = t("Network with a shared trunk, its last layer W and {count} heads, at step {step}.", { count, step });
    this.picture.setAttribute("aria-label", `${whole} ${said.join("; ")}.`);
  }
}

function known(letter, value) {
  return value === value ? `${letter} ${significant(value, 3)}` : "";
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function place(pull, shaft, length) {
  pull.setAttribute("visibility", length === length ? "visible" : "hidden");
  if (length === length) shaft.setAttribute("width", String(Math.max(0, length - 8)));
}

function radius(weight, tasks) {
  const most = Math.min(13, ROOM / tasks / 2.4);
  return weight === weight ? Math.max(2.5, most * Math.sqrt(Math.min(1, Math.max(0, weight) / tasks))) : most / 2;
}

function drawing(tasks, colors) {
  const spacing = Math.min(66, ROOM / tasks.length);
  const first = TOP + (ROOM - spacing * (tasks.length - 1)) / 2;
  const heads = tasks.map((task, i) => branch(task.name, colors[i], first + spacing * i, spacing));
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">
    <g class="gn-net-trunk">${trunk()}</g>
    <g class="gn-net-w"><rect x="${W_EDGE - 22}" y="${TOP - 6}" width="18" height="${ROOM + 12}" rx="6"/><text x="${W_EDGE - 13}" y="${TOP - 11}" text-anchor="middle">W</text></g>
    <text class="gn-net-word" x="66" y="${TOP - 11}" text-anchor="middle">${t("shared trunk")}</text>
    <text class="gn-net-word" x="${W_EDGE + 66}" y="${TOP - 11}" text-anchor="middle">${t("gradients at W")}</text>
    <text class="gn-net-word" x="${HEAD}" y="${TOP - 11}" text-anchor="middle">${t("heads")}</text>
    ${heads.join("")}</svg>`;
}

function column({ x, units }) {
  const gap = ROOM / units;
  return Array.from({ length: units }, (_, i) => [x, TOP + gap * (i + 0.5)]);
}

function trunk() {
  const columns = TRUNK.map(column);
  const next = [...columns.slice(1), [[W_EDGE - 22, TOP + ROOM / 2 - 50], [W_EDGE - 22, TOP + ROOM / 2], [W_EDGE - 22, TOP + ROOM / 2 + 50]]];
  const links = columns.flatMap((from, i) => from.flatMap(([x, y]) => next[i].map(([u, v]) => `M${x} ${y}L${u} ${v}`)));
  const dots = columns.flat().map(([x, y]) => `<circle cx="${x}" cy="${y}" r="5.5"/>`);
  return `<path d="${links.join("")}"/>${dots.join("")}`;
}

function branch(name, color, y, spacing) {
  const two = spacing >= 34;
  const text = document.createElement("span");
  text.textContent = name.length > 16 ? `${name.slice(0, 15)}…` : name;
  const words = two
    ? `<text class="gn-net-task-name" x="${HEAD + 20}" y="${y - 3}">${text.innerHTML}</text><text class="gn-net-loss" x="${HEAD + 20}" y="${y + 13}"></text>`
    : `<text class="gn-net-loss" x="${HEAD + 16}" y="${y + 4}"></text>`;
  const thick = two ? 8 : 5;
  return `<g class="gn-net-task" style="--gn-task:${color}">
    <path class="gn-net-link" d="M${W_EDGE - 4} ${y}H${HEAD}"/>
    <rect class="gn-net-goal" x="${W_EDGE}" y="${y - thick - 2}" width="2" height="${2 * thick + 4}" visibility="hidden"/>
    <g class="gn-net-pull" visibility="hidden" transform="translate(${W_EDGE} ${y})"><rect class="gn-net-shaft" x="8" y="${-thick / 2}" width="0" height="${thick}" rx="1.5"/><path d="M-3 0L9 ${-thick}V${thick}Z"/></g>
    <circle class="gn-net-head" cx="${HEAD}" cy="${y}" r="6"/>
    <text class="gn-net-norm" x="${W_EDGE + 8}" y="${y - thick - 3}"${two ? "" : ' display="none"'}></text>${words}</g>`;
}
