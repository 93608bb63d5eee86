/** The tasks as they stand now, as a real table. */
import { significant } from "./format.js";
import { element, swatch, write } from "./dom.js";
import { later, t } from "./words.js";

const COLUMNS = [
  ["w", later("Loss weight wᵢ(t)"), "weights"],
  ["G", later("Gradient norm Gᵢ(t) of the weighted loss at the shared layer"), "gradient_norms"],
  [later("target"), later("Target of the gradient norm, Ḡ(t)·pᵢ·rᵢ(t)^α, with the priority pᵢ"), "targets"],
  ["L", later("Training loss Lᵢ(t)"), "losses"],
  ["L/L(0)", later("Loss ratio Lᵢ(t)/Lᵢ(0)"), "loss_ratios"],
  ["r", later("Relative inverse training rate rᵢ(t)"), "relative_rates"],
];

/** A row for each task; cells are written only when their text changes. */
export class TaskTable {
  constructor() {
    this.caption = element("caption", { class: "gn-hidden" }, t("The tasks at the newest step, as measured"));
    this.head = element("thead");
    this.body = element("tbody");
    const table = element("table", { class: "gn-table" }, [this.caption, this.head, this.body]);
    this.node = element("div", { class: "gn-table-box", tabindex: 0, role: "region", "aria-label": t("The tasks at the newest step, as measured"), hidden: true, "data-testid": "task-table" }, table);
    this.cells = [];
  }

  clear() {
    this.node.hidden = true;
    this.cells = [];
  }

  /** Make the rows of a run. */
  configure({ run, layout: at, evaluationLayout: evaluated }, tasks = run.tasks, whose = "") {
    const metrics = run.metrics ?? [];
    const columns = COLUMNS.filter(([, , name]) => name !== "targets" || run.has_targets);
    const heads = [...columns.map(([text, title]) => [t(text), t(title)]), ...metrics.map((name) => [label(name), t("Test metric: {name}", { name })])];
    this.head.replaceChildren(element("tr", {}, [element("th", { scope: "col" }, whose ? `${t("task")}, ${whose}` : t("task")), ...heads.map(([text, title]) => element("th", { scope: "col", title }, element("abbr", { title }, text)))]));
    this.cells = [];
    this.body.replaceChildren(...tasks.map((task, i) => this.row(task, [
      ...columns.map(([, , name]) => ({ live: true, column: at[name] < 0 ? -1 : at[name] + i })),
      ...metrics.map((_, m) => ({ live: false, column: evaluated.metrics + i * metrics.length + m })),
    ])));
    this.node.hidden = false;
  }

  row(task, sources) {
    const cells = sources.map((source) => {
      const node = element("td", {}, "–");
      this.cells.push({ ...source, node });
      return node;
    });
    const name = element("th", { scope: "row" }, element("span", { class: "gn-task" }, [swatch(task), element("span", {}, task.name)]));
    return element("tr", {}, [name, ...cells]);
  }

  /** Write the newest values. */
  update({ rows, evaluations }) {
    for (const { node, live, column } of this.cells) write(node, significant((live ? rows : evaluations).newest(column)));
  }
}

function label(name) {
  return name === "r2" ? "R²" : name.replaceAll("_", " ");
}
