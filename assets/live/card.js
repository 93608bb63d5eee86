/** The elements of a chart's card: what it is, the reader's choices for it, the plot, and its numbers below. */
import { element, segments } from "./dom.js";
import { pictures } from "./save.js";
import { MORE_VIEWS, VIEWS } from "./views.js";
import { later, t } from "./words.js";

const SAVE = later("Save this chart as a picture for a slide, {kind}");

let cards = 0;

/** Make the card of a chart; its parts are named as the chart uses them. */
export function card(chart) {
  const { panel, slot } = chart;
  const title = element("h3", { class: "gn-title" });
  const note = element("span", { class: "gn-note" });
  const gloss = element("p", { class: "gn-gloss" });
  const scale = segments(t("y scale"), [["linear", t("lin")], ["log", t("log")]], (value) => panel.choices.setLog(chart.name, value === "log"));
  const switcher = slot === "more" ? views(panel.choices) : null;
  const controls = element("div", { class: "gn-controls" }, switcher ? [switcher, scale] : [scale]);
  const summary = element("p", { class: "gn-summary", id: `gn-summary-${(cards += 1)}` });
  const named = { "aria-roledescription": t("chart"), "aria-label": t("chart"), "aria-valuenow": 0, "aria-describedby": summary.id };
  const host = element("div", { class: "gn-plot", role: "slider", tabindex: 0, ...named });
  const empty = element("p", { class: "gn-empty" });
  const head = element("div", { class: "gn-chart-head" }, [element("div", { class: "gn-heading" }, [title, note]), controls]);
  const area = element("div", { class: "gn-area" }, [host, chart.shift.node, empty]);
  const foot = element("div", { class: "gn-foot" }, [chart.numbers.place(summary), pictures(SAVE, (kind) => chart.save(kind))]);
  const parts = [head, gloss, chart.readout.node, area, foot];
  const node = element("section", { class: "gn-chart", "data-testid": `chart-${slot}`, "data-points": 0 }, parts);
  return { title, note, gloss, scale, switcher, summary, host, empty, node };
}

function views(choices) {
  const switcher = segments(t("quantity shown"), MORE_VIEWS.map((name) => [name, VIEWS[name].short]), (name) => choices.setMore(name));
  [...switcher.children].forEach((button, i) => button.setAttribute("title", `${t(VIEWS[MORE_VIEWS[i]].title)} ${VIEWS[MORE_VIEWS[i]].symbol}`));
  return switcher;
}
