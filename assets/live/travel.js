/** Time travel: choose a checkpoint of the run in front, and fork from there. */
import { count } from "./format.js";
import { element, write } from "./dom.js";
import { later, t } from "./words.js";

// A fork is answered by another run; this long, no second one is asked for.
const PATIENCE = 4000;
const SETTINGS = later("with your settings (α, method, learning rate …)");

/** The slim bar under the header. Its room is kept while there is no checkpoint, so that nothing jumps when one comes. */
export class TimeTravel {
  constructor(panel) {
    this.panel = panel;
    this.steps = [];
    this.chosen = null;
    this.asked = false;
    this.word = element("span", { class: "gn-travel-word" }, t("Time travel"));
    this.input = element("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": t("Checkpoint to travel to"), "data-testid": "travel" });
    this.button = element("button", { type: "button", class: "gn-fork", "data-testid": "fork" });
    this.hint = element("span", { class: "gn-hint" });
    const tools = element("div", { class: "gn-travel-tools" }, [this.button, this.hint]);
    this.node = element("div", { class: "gn-travel", role: "group", "aria-label": t("Time travel"), "data-testid": "travel-bar" }, [element("label", { class: "gn-travel-slide" }, [this.word, this.input]), tools]);
    this.input.addEventListener("input", () => this.choose());
    this.input.addEventListener("focus", () => this.input.matches(":focus-visible") && this.choose());
    this.button.addEventListener("click", () => this.fork());
    this.node.addEventListener("focusout", ({ relatedTarget }) => this.node.contains(/** @type {Node} */ (relatedTarget)) || panel.choices.setTravel(null));
    this.node.addEventListener("keydown", ({ key }) => key === "Escape" && panel.choices.setTravel(null));
  }

  /** The checkpoint that the bar stands at; one of the newest until one is chosen. */
  get step() {
    return this.steps[Number(this.input.value)] ?? 0;
  }

  /** Another run is in front. */
  configure() {
    if (this.lead !== this.panel.lead) this.chosen = null;
    this.lead = this.panel.lead;
    this.update();
  }

  /** Take the checkpoints of the run in front; a chosen step stays where it is, or near. */
  update() {
    const { lead, shared } = this.panel;
    this.steps = lead?.checkpoints ?? [];
    const none = !this.steps.length;
    // What is replayed has none.
    this.node.hidden = this.panel.id === null;
    write(this.word, shared && lead ? `${t("Time travel")}, ${lead.key}` : t("Time travel"));
    write(this.hint, none ? t("from its first checkpoint on") : lead.run?.recorded ? t("by a run of its script") : t(SETTINGS));
    this.input.disabled = none;
    this.button.disabled = none || this.asked;
    this.input.max = String(Math.max(0, this.steps.length - 1));
    this.input.value = String(none ? 0 : nearest(this.steps, this.chosen ?? this.newest()));
    this.tell();
  }

  /** The newest checkpoint that leaves steps to be taken. */
  newest() {
    const { status, run } = this.panel.lead;
    return this.steps.findLast((step) => step < (status?.steps ?? run.steps)) ?? this.steps.at(-1);
  }

  choose() {
    this.chosen = this.step;
    this.tell();
    this.panel.choices.setTravel(this.step);
  }

  tell() {
    const at = { step: count(this.step) };
    const some = this.steps.length > 0;
    this.input.setAttribute("aria-valuetext", some ? t("step {step}", at) : t("no checkpoint yet"));
    write(this.button, some ? t("Fork from step {step}", at) : t("Fork from a step"));
  }

  fork() {
    const { lead } = this.panel;
    if (!lead) return;
    // Were it pressed twice, there would be two forks.
    this.asked = true;
    setTimeout(() => {
      this.asked = false;
      this.update();
    }, PATIENCE);
    this.update();
    this.panel.page.trigger?.("fork", { run: lead.id, step: this.step });
    this.panel.choices.setTravel(null);
  }
}

function nearest(steps, wanted) {
  let best = 0;
  steps.forEach((step, i) => {
    if (Math.abs(step - wanted) < Math.abs(steps[best] - wanted)) best = i;
  });
  return best;
}
