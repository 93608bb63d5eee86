/** The contenders by name: line style, state and step; a click brings one to the front. */
import { count } from "./format.js";
import { element, write } from "./dom.js";

/** One button a contender; hidden while there is but one run. */
export class RaceBar {
  constructor(panel) {
    this.panel = panel;
    this.node = element("div", { class: "gn-race", role: "group", "aria-label": "Contenders", "data-testid": "contenders", hidden: true });
    this.items = [];
  }

  /** Make the buttons of the runs that are drawn. */
  configure() {
    const { members, shared } = this.panel;
    const drawn = JSON.stringify(shared ? members.map(({ id, label }) => [id, label]) : []);
    // The same buttons stay, with the focus that one of them may have.
    if (drawn === this.drawn) return this.update();
    this.drawn = drawn;
    this.node.hidden = !shared;
    this.items = shared ? members.map((member) => this.item(member)) : [];
    this.node.replaceChildren(...this.items.map(({ button }) => button));
    return this.update();
  }

  item(member) {
    const { panel } = this;
    const where = element("span", { class: "gn-where" });
    const parts = [line(member.dash), element("b", { class: "gn-key" }, member.key), element("span", { class: "gn-contender-name" }, member.label), where];
    const title = `${member.label}: click brings it to the front in all charts; the lines of the others are means over 3 pixels`;
    const button = element("button", { type: "button", class: "gn-contender", title, "data-testid": `contender-${member.place}`, "data-run": member.id }, parts);
    button.addEventListener("click", () => panel.raise(member));
    // As with the tasks: a finger has no hover.
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && panel.choices.setSpot(member));
    button.addEventListener("pointerleave", () => panel.choices.setSpot(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && panel.choices.setSpot(member));
    button.addEventListener("blur", () => panel.choices.setSpot(null));
    return { member, button, where };
  }

  /** Write where each contender stands. */
  update() {
    for (const { member, button, where } of this.items) {
      write(where, member.state ? `${member.state} · ${count(member.step)}` : "");
      button.setAttribute("aria-pressed", String(member === this.panel.lead));
      button.dataset.points = String(member.history?.rows.count ?? 0);
    }
  }
}

/** A contender's line style, in the ink of the words. */
export function line(dash) {
  const node = element("span", { class: "gn-dash", "aria-hidden": "true" });
  const pattern = dash.length ? dash.join(" ") : "none";
  node.innerHTML = `<svg viewBox="0 0 32 6" width="32" height="6"><line x1="0" y1="3" x2="32" y2="3" stroke="currentColor" stroke-width="2.2" stroke-dasharray="${pattern}"/></svg>`;
  return node;
}
