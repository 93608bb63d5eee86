/** The first cards: the networks of the runs with Algorithm 1 at a step, which can be held; and the data beside them. */
import { lines, measured } from "./algorithm.js";
import { Answers } from "./answers.js";
import { networkPicture } from "./cards.js";
import { count, significant } from "./format.js";
import { element, notation, swatch, write } from "./dom.js";
import { MOST_TASKS, Network } from "./network.js";
import { pictures, save } from "./save.js";
import { later, t } from "./words.js";

const GLOSS = later("an arrow is a task’s gradient at the shared layer W: the longer, the harder it pulls, beside the others of its network; the tick is its target");
const SAVE = later("Save the network as a picture for a slide, {kind}");
const MOST_NETWORKS = 2;

/** Networks and algorithm. It moves with the run until a step is held. */
export class Stage {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    /** The index of the row that is held; −1 while it moves with the run. */
    this.held = -1;
    this.line = 0;
    this.networks = [];
    this.step = element("span", { class: "gn-note" });
    this.hold = element("button", { type: "button", class: "gn-quiet", "aria-expanded": "false", "data-testid": "hold-step" }, t("Step through Algorithm 1"));
    this.hold.addEventListener("click", () => this.toggle());
    this.heading = element("div", { class: "gn-heading" }, [element("h3", { class: "gn-title" }, t("The network")), this.step]);
    const head = element("div", { class: "gn-chart-head" }, [this.heading, element("div", { class: "gn-controls" }, this.hold)]);
    this.figures = element("div", { class: "gn-nets" });
    this.list = element("ol", { class: "gn-lines" });
    this.algorithm = element("div", { class: "gn-algorithm", "data-testid": "algorithm", role: "group", "aria-label": t("Algorithm 1, line by line") }, [this.tools(), this.list]);
    this.gloss = element("p", { class: "gn-gloss" }, t(GLOSS));
    const foot = element("div", { class: "gn-foot" }, pictures(SAVE, (kind) => save(panel, "network", kind, (words) => networkPicture(this, words))));
    this.node = element("section", { class: "gn-chart gn-stage", "data-testid": "network", hidden: true }, [head, this.gloss, element("div", { class: "gn-stage-body" }, [this.figures, this.algorithm]), foot]);
    this.answers = new Answers(panel);
    this.nodes = [this.node, this.answers.node];
    this.algorithm.addEventListener("keydown", (event) => this.key(event));
  }

  tools() {
    const button = (text, label, action) => {
      const node = element("button", { type: "button", class: "gn-quiet", "aria-label": label }, text);
      node.addEventListener("click", action);
      return node;
    };
    this.where = element("b", { class: "gn-held" });
    const steps = [button("‹", t("An earlier step"), () => this.move(-1)), this.where, button("›", t("A later step"), () => this.move(1))];
    this.next = button(t("Next line"), t("Next line"), () => this.go(1));
    return element("div", { class: "gn-algorithm-tools" }, [...steps, button(t("Line before"), t("The line before"), () => this.go(-1)), this.next]);
  }

  /** Take the runs that are drawn anew. */
  configure() {
    const { run, lead, members, shared, tasks, theme } = this.panel;
    this.answers.configure();
    // Another run will be here in a moment: were the card hidden until then, all below would jump twice.
    if (!run && members.length) return;
    const few = run && run.tasks.length <= MOST_TASKS;
    this.node.hidden = !few;
    if (!few) return;
    const known = members.filter((member) => member.history?.continues(run));
    const shown = known.length <= MOST_NETWORKS ? known : [lead];
    this.networks = shown.map((member) => {
      const network = new Network();
      network.configure(member, tasks, tasks.map((task) => theme.color(task)), shared);
      network.node.classList.toggle("gn-behind", member !== lead);
      return network;
    });
    this.figures.replaceChildren(...this.networks.map(({ node }) => node));
    if (this.lead !== lead) this.release();
    this.lead = lead;
    this.list.replaceChildren();
    this.update();
  }

  /** Show the newest numbers, or those of the step that is held; false where nothing is shown. */
  update() {
    const { history } = this.panel;
    if (this.node.hidden || !history) return false;
    const at = this.held < 0 ? history.rows.newestRow(Math.max(0, history.layout.gradient_norms)) : this.held;
    const now = measured(history, at);
    write(this.step, at < 0 ? "" : this.held < 0 ? t("step {step}", { step: count(now.step) }) : t("step {step}, held", { step: count(now.step) }));
    for (const network of this.networks) {
      const own = network.member.history;
      network.show(network.member === this.panel.lead ? now : measured(own, nearest(own.rows, now.step)));
    }
    this.write(now);
    return true;
  }

  write(now) {
    const shown = this.held >= 0;
    this.node.classList.toggle("gn-is-held", shown);
    this.hold.setAttribute("aria-expanded", String(shown));
    write(this.hold, shown ? t("Go on with the run") : t("Step through Algorithm 1"));
    this.algorithm.hidden = !shown;
    if (!shown) return;
    write(this.where, t("step {step}", { step: count(now.step) }));
    const all = lines(now);
    this.line = Math.min(this.line, all.length - 1);
    this.node.dataset.line = all[this.line]?.key ?? "";
    this.list.replaceChildren(...all.map((line, i) => this.item(line, i)));
    this.next.disabled = this.line >= all.length - 1;
  }

  item({ text, formula, values, total = null }, i) {
    const { tasks } = this.panel;
    const numbers = values.map((value, task) => element("span", { class: "gn-value", title: tasks[task].name }, [swatch(tasks[task]), significant(value, 3)]));
    if (total) numbers.push(element("span", { class: "gn-value" }, [...notation(total.name), ` ${significant(total.value, 3)}`]));
    const open = i <= this.line;
    const parts = [element("span", { class: "gn-line-text" }, text), element("span", { class: "gn-symbol" }, notation(formula))];
    if (open) parts.push(element("span", { class: "gn-values" }, numbers));
    return element("li", { "aria-current": i === this.line ? "step" : null, class: open ? "" : "gn-later" }, parts);
  }

  toggle() {
    if (this.held >= 0 || !this.panel.history) return this.release();
    const { rows, layout } = this.panel.history;
    // The newest step but one, so that what its weights became is known.
    this.line = 0;
    return this.put(Math.max(0, rows.newestRow(Math.max(0, layout.gradient_norms)) - 1));
  }

  release() {
    if (this.held < 0) return;
    this.held = -1;
    this.panel.choices.setTravel(null);
    this.update();
  }

  put(at) {
    const { rows } = this.panel.history ?? {};
    if (!rows?.count) return;
    this.held = Math.min(Math.max(0, at), rows.count - 1);
    this.panel.choices.setTravel(rows.columns[0][this.held]);
    this.update();
  }

  move(by) {
    this.put(this.held + by);
  }

  go(by) {
    this.line = Math.max(0, this.line + by);
    this.update();
  }

  key(event) {
    const act = { ArrowDown: () => this.go(1), ArrowUp: () => this.go(-1), ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1), Escape: () => this.release() }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** The row of another run at a step, or its newest before. */
function nearest(rows, step) {
  return Math.min(rows.find(step + 0.5), rows.count) - 1;
}
