/** Who leads: the contenders beside each other at the newest step that those still running have evaluated. */
import { count, significant } from "./format.js";
import { element, swatch, write } from "./dom.js";
import { line } from "./race.js";
import { later, t } from "./words.js";

const MOST_TASKS = 5;
const LOST = new Set(["diverged", "failed"]);

/** A row for each contender, or for the mean over its seeds; the best number of a column is bold and has a star. */
export class Leaders {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.title = element("h3", { class: "gn-title" }, t("Who leads"));
    this.note = element("span", { class: "gn-note" });
    this.head = element("thead");
    this.body = element("tbody");
    const caption = element("caption", { class: "gn-hidden" }, t("Test results of the contenders; the best of each column has a star. A heading sorts by its column"));
    const table = element("table", { class: "gn-table gn-leaders-table" }, [caption, this.head, this.body]);
    const box = element("div", { class: "gn-table-box", tabindex: 0, role: "region", "aria-label": t("Who leads") }, table);
    this.node = element("section", { class: "gn-leaders", "data-testid": "leaders", hidden: true }, [element("div", { class: "gn-heading" }, [this.title, this.note]), box]);
    this.rows = [];
  }

  /** Make rows and columns for what is drawn. */
  configure() {
    const { run, tasks, shared, entrants } = this.panel;
    this.node.hidden = !(shared && run);
    this.rows = [];
    if (this.node.hidden) return;
    const at = this.panel.lead.history.evaluationLayout;
    const seeds = entrants.some(({ members }) => members) ? [SEEDS] : [];
    this.columns = [CONTENDER, ...seeds, sum(at), ...columnsOf(run, at), LEADS];
    this.shown = this.columns.filter(({ hidden }) => !hidden);
    this.sorters = new Map(this.shown.map((column) => [column, this.sorter(column)]));
    this.head.replaceChildren(...this.heads(run.tasks.length <= MOST_TASKS ? tasks : []));
    this.rows = entrants.map((entrant) => this.row(entrant));
    this.body.replaceChildren(...this.rows.map(({ node }) => node));
    this.update();
  }

  row(entrant) {
    const name = element("span", { class: "gn-task" }, [line(entrant), element("b", { class: "gn-key" }, entrant.key), element("span", {}, entrant.label)]);
    const cells = this.shown.slice(1).map(() => element("td", {}, "–"));
    const node = element("tr", {}, [element("th", { scope: "row" }, name), ...cells]);
    return { entrant, node, cells, values: [] };
  }

  /** A heading's button, which sorts. */
  sorter(column) {
    const button = element("button", { type: "button", class: "gn-sort", title: t(column.title) }, element("span", {}, t(column.head)));
    button.addEventListener("click", () => this.sort(column));
    return button;
  }

  heads(tasks) {
    const cell = (column, rowspan = null) => element("th", { scope: "col", rowspan, class: column === CONTENDER ? "gn-first" : null }, this.sorters.get(column));
    if (!tasks.length) return [element("tr", {}, this.shown.map((column) => cell(column)))];
    const spans = tasks.map((task, i) => {
      const own = this.columns.filter((column) => column.task === i).length;
      return element("th", { scope: "colgroup", colspan: own, class: "gn-group" }, element("span", { class: "gn-task" }, [swatch(task), element("span", {}, task.name)]));
    });
    const tall = this.columns.filter(({ task }) => task === undefined).map((column) => cell(column, 2));
    const second = this.columns.filter(({ task }) => task !== undefined).map((column) => cell(column));
    return [element("tr", {}, [...tall.slice(0, -1), ...spans, tall.at(-1)]), element("tr", {}, second)];
  }

  /** Sort by a column, the best first; once more turns it round, and a third time is the order of the race again. */
  sort(column) {
    const { choices } = this.panel;
    const { by, down } = choices.view.sort;
    const first = Boolean(column.more);
    if (by !== column.key) choices.setSort({ by: column.key, down: first });
    else if (down === first) choices.setSort({ by, down: !first });
    else choices.setSort({ by: null, down: false });
  }

  /** Write the numbers at the newest step that can be compared. */
  update() {
    if (!this.rows.length) return;
    const step = comparable(this.panel.members);
    const means = this.rows.some(({ entrant }) => entrant.members) ? `, ${t("mean ± standard deviation over seeds")}` : "";
    write(this.note, step < 0 ? t("no evaluation in common yet") : `${t("test set, after step {step}", { step: count(step) })}${means}`);
    for (const row of this.rows) row.values = this.columns.map((column) => (column.at === undefined ? NaN : valueAt(row.entrant, step, column.at)));
    const best = this.columns.map((column, c) => (column.at === undefined ? NaN : bestOf(this.rows.map(({ values }) => values[c]), column.more)));
    for (const row of this.rows) this.fill(row, best, step);
    this.arrange();
  }

  fill(row, best, step) {
    const { entrant, values, cells } = row;
    const ratios = this.columns.flatMap(({ ratio }, c) => (ratio ? [values[c] === best[c]] : []));
    const won = ratios.filter(Boolean).length;
    const nothing = values.every(Number.isNaN);
    values[this.columns.indexOf(LEADS)] = nothing ? NaN : won;
    if (this.columns.includes(SEEDS)) values[this.columns.indexOf(SEEDS)] = entrant.members?.length ?? 1;
    this.shown.slice(1).forEach((column, i) => {
      const c = this.columns.indexOf(column);
      if (column === LEADS) write(cells[i], nothing ? "–" : t("{won} of {count} tasks", { won, count: ratios.length }));
      else if (column === SEEDS) write(cells[i], entrant.counted ?? "");
      else mark(cells[i], significant(values[c], 4), values[c] === best[c], spread(entrant, step, column.at));
    });
  }

  /** Put the rows in their order; what can't be compared comes last. */
  arrange() {
    const { by, down } = this.panel.choices.view.sort;
    // An address may name a column that another race has.
    const c = this.columns.findIndex(({ key, hidden }) => key === by && !hidden);
    for (const [column, button] of this.sorters) {
      const sorted = column.key === by ? (down ? "descending" : "ascending") : null;
      if (sorted) button.parentElement.setAttribute("aria-sort", sorted);
      else button.parentElement.removeAttribute("aria-sort");
    }
    const sorted = c < 0 ? this.rows : this.rows.toSorted((a, b) => compared(a, b, c, down));
    sorted.forEach(({ node }, i) => {
      if (this.body.children[i] !== node) this.body.insertBefore(node, this.body.children[i] ?? null);
    });
  }
}

/** Columns that are of no quantity. */
const CONTENDER = { key: "contender", head: later("contender"), title: later("In the order of their names") };
const SEEDS = { key: "seeds", head: later("seeds"), title: later("How many seeds the mean is over; runs that broke off are left out"), more: true };
const LEADS = { key: "leads", head: later("leads on"), title: later("On how many tasks its test loss ratio is the best"), more: true };

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

/** The order of two rows by column c; NaN comes last either way. */
export function compared(a, b, c, down) {
  if (c === 0) return (down ? -1 : 1) * a.entrant.label.localeCompare(b.entrant.label, undefined, { numeric: true });
  const [one, other] = [a.values[c], b.values[c]];
  if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  return down ? other - one : one - other;
}

function sum(at) {
  return { key: "sum", at: at.total, head: "Σ L/L(0)", title: later("Task-normalised test loss: the sum over tasks of Lᵢ(t)/Lᵢ(0)") };
}

function columnsOf(run, at) {
  const metrics = run.metrics ?? [];
  const measured = (name, i) => (run.task_metrics?.[i] ?? name) === name;
  const more = (name) => !(run.errors ?? []).includes(name);
  const hidden = run.tasks.length > MOST_TASKS;
  return run.tasks.flatMap((task, i) => [
    { key: `ratio.${i + 1}`, at: at.loss_ratios + i, task: i, ratio: true, hidden, head: "L/L(0)", title: t("{task}: test loss ratio Lᵢ(t)/Lᵢ(0); less is better", { task: task.name }) },
    ...metrics
      .map((name, m) => ({ key: `${name}.${i + 1}`, name, at: at.metrics + i * metrics.length + m, task: i, more: more(name), hidden, head: label(name), title: better(task.name, label(name), more(name)) }))
      .filter(({ name }) => measured(name, i)),
  ]);
}

function better(task, metric, more) {
  const named = { task, metric };
  return more ? t("{task}: test {metric}; more is better", named) : t("{task}: test {metric}; less is better", named);
}

function valueAt(entrant, step, column) {
  if (step < 0 || !entrant.history) return NaN;
  const rows = entrant.rows(true);
  const index = indexOf(rows, step);
  return index < 0 ? NaN : rows.view(column)[index];
}

/** The standard deviation over the seeds of a mean; NaN for a run. */
function spread(entrant, step, column) {
  const values = (entrant.sound ?? []).map((member) => valueAt(member, step, column)).filter(Number.isFinite);
  if (values.length < 2) return NaN;
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1));
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

function mark(cell, text, best, deviation) {
  const beside = Number.isFinite(deviation) ? ` ± ${significant(deviation, 2)}` : "";
  const wanted = `${best ? "★ " : ""}${text}${beside}`;
  if (cell.textContent === wanted) return;
  const star = element("span", { class: "gn-star", role: "img", "aria-label": `${t("best:")} ` }, "★");
  cell.replaceChildren(...(best ? [star, " ", element("b", {}, text)] : [text]), element("span", { class: "gn-deviation" }, beside));
}

function label(name) {
  return name === "r2" ? "R²" : name.replaceAll("_", " ");
}
