/** The contenders by name: colour, line style, state and step; a click brings one to the front. And how they are drawn. */
import { count } from "./format.js";
import { element, press, segments, swatch, write } from "./dom.js";
import { t } from "./words.js";

/** One button a contender, and what colour and lines stand for; hidden while there is but one run. */
export class RaceBar {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.list = element("div", { class: "gn-race", role: "group", "aria-label": t("Contenders"), "data-testid": "contenders" });
    this.color = segments(t("Colour tells apart"), [["task", t("tasks")], ["contender", t("contenders")]], (colour) => panel.choices.draw({ colour }));
    this.seeds = segments(t("Seeds are drawn as"), [["mean", t("mean and range")], ["each", t("each")]], (drawn) => panel.choices.draw({ each: drawn === "each" }));
    this.seedsBox = element("span", { class: "gn-choice" }, [t("Seeds"), this.seeds]);
    const tools = element("div", { class: "gn-race-tools" }, [element("span", { class: "gn-choice" }, [t("Colour"), this.color]), this.seedsBox]);
    this.node = element("div", { class: "gn-race-box", hidden: true }, [this.list, tools]);
    this.items = [];
  }

  /** Make the buttons of what is drawn. */
  configure() {
    const { members, entrants, shared, choices } = this.panel;
    this.node.hidden = !shared;
    press(this.color, choices.byContender ? "contender" : "task");
    press(this.seeds, choices.view.each ? "each" : "mean");
    this.seedsBox.hidden = new Set(members.map(({ mark }) => mark.team)).size === members.length;
    const drawn = JSON.stringify(shared ? entrants.map(({ key, label, dash, color, members: runs }) => [key, label, dash, color, runs?.length]) : []);
    // The same buttons stay, with the focus that one of them may have.
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.items = shared ? entrants.map((_, place) => this.item(place)) : [];
      this.list.replaceChildren(...this.items.map(({ button }) => button));
    }
    this.update();
  }

  item(place) {
    const { choices } = this.panel;
    const entrant = () => this.panel.entrants[place];
    const { key, label, members } = entrant();
    const where = element("span", { class: "gn-where" });
    const parts = [line(entrant()), element("b", { class: "gn-key" }, key), element("span", { class: "gn-contender-name" }, label), where];
    const title = t("{name}: click brings it to the front in all charts; the lines of the others are means over 3 pixels", { name: label });
    const button = element("button", { type: "button", class: "gn-contender", title, "data-testid": `contender-${place}`, "data-run": members ? null : entrant().id }, parts);
    button.addEventListener("click", () => this.panel.raise(entrant()));
    // As with the tasks: a finger has no hover.
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choices.setSpot(entrant()));
    button.addEventListener("pointerleave", () => choices.setSpot(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && choices.setSpot(entrant()));
    button.addEventListener("blur", () => choices.setSpot(null));
    return { button, where };
  }

  /** Write where each contender stands. */
  update() {
    this.items.forEach(({ button, where }, place) => {
      const entrant = this.panel.entrants[place];
      const state = entrant.state ? `${t(entrant.state)} · ${count(entrant.step)}` : "";
      write(where, [entrant.seeds, state].filter(Boolean).join(" · "));
      button.setAttribute("aria-pressed", String(entrant === this.panel.entrant));
      button.dataset.points = String(entrant.history ? entrant.rows(false).count : 0);
    });
  }
}

/** A contender's line as a chart draws it that has one line of each. */
export function line({ color, dash }) {
  return swatch({ color, dash });
}
