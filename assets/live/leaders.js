/** Who leads: the contenders beside each other at the newest step that those still running have evaluated. */
import { count, significant } from "./format.js";
import { element, swatch, write } from "./dom.js";
import { line } from "./race.js";

const MOST_TASKS = 5;
const LOST = new Set(["diverged", "failed"]);

/** A row for each contender; the best number of a column is bold and has a star. */
export class Leaders {
  constructor(panel) {
    this.panel = panel;
    this.title = element("h3", { class: "gn-title" }, "Who leads");
    this.note = element("span", { class: "gn-note" });
    this.head = element("thead");
    this.body = element("tbody");
    const caption = element("caption", { class: "gn-hidden" }, "Test results of the contenders; the best of each column has a star");
    const table = element("table", { class: "gn-table gn-leaders-table" }, [caption, this.head, this.body]);
    const box = element("div", { class: "gn-table-box", tabindex: 0, role: "region", "aria-label": "Who leads" }, table);
    this.node = element("section", { class: "gn-leaders", "data-testid": "leaders", hidden: true }, [element("div", { class: "gn-heading" }, [this.title, this.note]), box]);
    this.rows = [];
  }

  /** Make rows and columns for the runs that are drawn. */
  configure() {
    const { run, tasks, shared, members } = this.panel;
    this.node.hidden = !(shared && run);
    this.rows = [];
    if (this.node.hidden) return;
    this.columns = columnsOf(run, this.panel.lead.history.evaluationLayout);
    const few = run.tasks.length <= MOST_TASKS;
    this.head.replaceChildren(...(few ? grouped(tasks, this.columns) : [plain(this.columns)]));
    this.rows = members.map((member) => this.row(member));
    this.body.replaceChildren(...this.rows.map(({ node }) => node));
    this.update();
  }

  row(member) {
    const shown = this.columns.filter(({ hidden }) => !hidden);
    const cells = shown.map(() => element("td", {}, "–"));
    const leads = element("td", {}, "–");
    const name = element("span", { class: "gn-task" }, [line(member.dash), element("b", { class: "gn-key" }, member.key), element("span", {}, member.label)]);
    const node = element("tr", { "data-run": member.id }, [element("th", { scope: "row" }, name), ...cells, leads]);
    return { member, node, cells, leads, shown };
  }

  /** Write the numbers at the newest step that can be compared. */
  update() {
    if (!this.rows.length) return;
    const step = comparable(this.panel.members);
    write(this.note, step < 0 ? "no evaluation in common yet" : `test set, after step ${count(step)}`);
    const values = this.rows.map(({ member }) => valuesAt(member, step, this.columns));
    const best = this.columns.map(({ more }, c) => bestOf(values.map((row) => row[c]), more));
    this.rows.forEach((row, r) => {
      row.shown.forEach((column, i) => {
        const c = this.columns.indexOf(column);
        mark(row.cells[i], significant(values[r][c], 4), values[r][c] === best[c]);
      });
      const tasks = this.columns.map(({ ratio }, c) => (ratio ? values[r][c] === best[c] : null)).filter((won) => won !== null);
      const won = tasks.filter(Boolean).length;
      write(row.leads, values[r].every(Number.isNaN) ? "–" : `${won} of ${tasks.length} tasks`);
    });
  }
}

/** The newest step that all running contenders have evaluated; of ended ones, those that did not break off. */
export function comparable(members) {
  const evaluated = members.filter(({ history }) => history?.evaluations.count);
  const running = evaluated.filter(({ final }) => !final);
  const sound = evaluated.filter(({ state }) => !LOST.has(state));
  const asked = [running, sound, evaluated].find((some) => some.length) ?? [];
  if (!asked.length) return -1;
  const steps = asked[0].history.evaluations.view(0);
  for (let i = steps.length - 1; i >= 0; i -= 1) {
    if (asked.every(({ history: { evaluations } }) => indexOf(evaluations, steps[i]) >= 0)) return steps[i];
  }
  return -1;
}

function columnsOf(run, at) {
  const metrics = run.metrics ?? [];
  const measured = (name, i) => (run.task_metrics?.[i] ?? name) === name;
  const more = (name) => !(run.errors ?? []).includes(name);
  const hidden = run.tasks.length > MOST_TASKS;
  const sum = { at: at.total, head: "Σ L/L(0)", title: "Task-normalised test loss: the sum over tasks of Lᵢ(t)/Lᵢ(0)" };
  const tasks = run.tasks.flatMap((task, i) => [
    { at: at.loss_ratios + i, task: i, ratio: true, hidden, head: "L/L(0)", title: `${task.name}: test loss ratio Lᵢ(t)/Lᵢ(0); less is better` },
    ...metrics
      .map((name, m) => ({ name, at: at.metrics + i * metrics.length + m, task: i, more: more(name), hidden, head: label(name), title: `${task.name}: test ${label(name)}; ${more(name) ? "more" : "less"} is better` }))
      .filter(({ name }) => measured(name, i)),
  ]);
  return [sum, ...tasks];
}

function grouped(tasks, columns) {
  const spans = tasks.map((task, i) => {
    const own = columns.filter((column) => column.task === i).length;
    return element("th", { scope: "colgroup", colspan: own, class: "gn-group" }, element("span", { class: "gn-task" }, [swatch(task), element("span", {}, task.name)]));
  });
  const first = element("tr", {}, [element("th", { scope: "col", rowspan: 2 }, "contender"), head(columns[0], 2), ...spans, element("th", { scope: "col", rowspan: 2 }, "leads on")]);
  return [first, element("tr", {}, columns.slice(1).map((column) => head(column)))];
}

function plain(columns) {
  return element("tr", {}, [element("th", { scope: "col" }, "contender"), head(columns[0]), element("th", { scope: "col" }, "leads on")]);
}

function head({ head: text, title }, rowspan = null) {
  return element("th", { scope: "col", title, rowspan }, element("abbr", { title }, text));
}

function valuesAt({ history }, step, columns) {
  const evaluations = history?.evaluations;
  const index = step < 0 || !evaluations ? -1 : indexOf(evaluations, step);
  return columns.map(({ at }) => (index < 0 ? NaN : evaluations.columns[at][index]));
}

function indexOf(rows, step) {
  const index = rows.find(step);
  return index < rows.count && rows.view(0)[index] === step ? index : -1;
}

function bestOf(values, more) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return NaN;
  return more ? Math.max(...known) : Math.min(...known);
}

function mark(cell, text, best) {
  const wanted = best ? `★ ${text}` : text;
  if (cell.textContent === wanted) return;
  const star = element("span", { class: "gn-star", role: "img", "aria-label": "best: " }, "★");
  cell.replaceChildren(...(best ? [star, " ", element("b", {}, text)] : [text]));
}

function label(name) {
  return name === "r2" ? "R²" : name.replaceAll("_", " ");
}
