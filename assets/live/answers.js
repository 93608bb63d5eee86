/** The card of the data: what the networks answer, beside the truth; as curves, or for a few test examples. */
import { dataPicture } from "./cards.js";
import { count } from "./format.js";
import { element, swatch, write } from "./dom.js";
import { MOST_TASKS } from "./network.js";
import { pictures, save } from "./save.js";
import { later, t } from "./words.js";

const WIDTH = 220;
const HEIGHT = 96;
const MOST_RUNS = 2;
// Beyond so many tasks curves are drawn small.
const FEW = 4;
const SAVE = later("Save the data as a picture for a slide, {kind}");
const GLOSS = {
  curves: later("one output of each task along a line through the inputs: the truth in grey, the answer in colour; and how far all outputs are off"),
  rows: later("a few test examples: the truth, and below it the network’s answer"),
};

/** Hidden where there is nothing to see. */
export class Answers {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.note = element("span", { class: "gn-note" });
    this.gloss = element("p", { class: "gn-gloss" });
    this.body = element("div", { class: "gn-answers" });
    this.heading = element("div", { class: "gn-heading" }, [element("h3", { class: "gn-title" }, t("The data")), this.note]);
    this.foot = element("div", { class: "gn-foot" }, pictures(SAVE, (kind) => save(panel, "answers", kind, (words) => dataPicture(this, words))));
    this.node = element("section", { class: "gn-chart gn-data", "data-testid": "answers", hidden: true }, [element("div", { class: "gn-chart-head" }, this.heading), this.gloss, this.body, this.foot]);
  }

  /** The runs whose answers are shown. */
  get shown() {
    const { members, lead, run } = this.panel;
    const alike = members.filter((member) => member.history?.continues(run));
    return alike.length <= MOST_RUNS ? alike : [lead];
  }

  /** Ask for the answers after the newest checkpoint, or after the one before the step that is looked at. */
  ask() {
    const { run, choices } = this.panel;
    if (!run || run.tasks.length > MOST_TASKS) return;
    for (const member of this.shown) {
      const step = member.checkpoints.findLast((each) => choices.travel === null || each <= choices.travel);
      if (step !== undefined) member.ask(step);
    }
  }

  /** Draw what is known. */
  configure() {
    this.ask();
    const { run, lead, members } = this.panel;
    // Until another run is here the card stays, so that nothing jumps.
    if (!run && members.length) return;
    const known = run && run.tasks.length <= MOST_TASKS ? this.shown.filter((member) => member.answers) : [];
    const first = known.includes(lead) ? lead.answers : known[0]?.answers;
    // Its room is kept from the start, so that nothing jumps when the first answers come.
    const there = Boolean(first || (run?.answers && run.tasks.length <= MOST_TASKS));
    this.node.hidden = !there;
    this.panel.grid.classList.toggle("gn-has-data", there && !this.panel.shared);
    // Its room is kept, too.
    this.foot.style.visibility = first ? "" : "hidden";
    if (!first) {
      write(this.note, "");
      write(this.gloss, t("what the network answers, from the first checkpoint on"));
      this.body.replaceChildren();
      return;
    }
    write(this.note, t("after step {step}", { step: count(first.step) }));
    write(this.gloss, t(GLOSS[first.kind]));
    this.body.classList.toggle("gn-small", run.tasks.length > FEW);
    this.body.replaceChildren(...(first.kind === "curves" ? this.curves(known) : [this.table(first)]));
  }

  curves(known) {
    const { tasks, theme, shared } = this.panel;
    return tasks.map((task, i) => {
      const { truth } = known[0].answers.curves[i];
      const most = Math.max(1e-12, ...truth.map(Math.abs)) * 1.35;
      const lines = known.map(({ answers, dash }) => `<path d="${path(answers.curves[i].answer, most)}" stroke="${theme.color(task)}" stroke-dasharray="${dash.join(" ") || "none"}"/>`);
      const drawing = element("div", { class: "gn-curve", role: "img", "aria-label": t("{task}: the truth and the answer of the network along a line", { task: task.name }) });
      drawing.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}"><path class="gn-truth" d="${path(truth, most)}"/>${lines.join("")}</svg>`;
      const far = known.map(({ key, answers }) => `${shared ? `${key} ` : ""}${t("off by {percent} %", { percent: Math.round(100 * answers.curves[i].off) })}`);
      return element("figure", {}, [drawing, element("figcaption", { class: "gn-task" }, [swatch(task), element("span", {}, `${task.name}: ${far.join(", ")}`)])]);
    });
  }

  table({ rows }) {
    const { tasks } = this.panel;
    const pictured = rows.some(({ picture }) => picture);
    const heads = tasks.map((task) => element("th", { scope: "col" }, element("span", { class: "gn-task" }, [swatch(task), element("span", {}, task.name)])));
    const first = element("th", { scope: "col" }, pictured ? t("picture") : t("example"));
    const lines = rows.map(({ picture, cells }, i) => {
      const name = element("th", { scope: "row" }, picture ? canvas(picture) : String(i + 1));
      return element("tr", {}, [name, ...cells.map(({ truth, answer }) => element("td", {}, [element("span", { class: "gn-truth-word" }, truth), element("b", {}, answer)]))]);
    });
    const table = element("table", { class: "gn-table" }, [element("thead", {}, element("tr", {}, [first, ...heads])), element("tbody", {}, lines)]);
    return element("div", { class: "gn-table-box", tabindex: 0, role: "region", "aria-label": t("Test examples") }, table);
  }
}

function path(values, most) {
  const points = values.map((value, i) => {
    const y = HEIGHT / 2 - (Math.max(-most, Math.min(most, value)) / most) * (HEIGHT / 2 - 2);
    return `${((i / (values.length - 1)) * WIDTH).toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}

function canvas({ height, width, channels, pixels }) {
  const node = element("canvas", { width, height, class: "gn-thumb", role: "img", "aria-label": t("test picture") });
  const bytes = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = bytes[i * channels + (channels >= 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  node.getContext("2d").putImageData(image, 0, 0);
  return node;
}
