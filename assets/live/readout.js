/** The values under the cursor: one compact row a chart, and a tag at the nearest line. */
import { count, significant } from "./format.js";
import { element, notation, swatch, write } from "./dom.js";
import { enumerated, t } from "./words.js";

const STEP_ROOM = 120;
const SMOOTHED_ROOM = 64;
const ITEM_ROOM = 68;
const NEAR = 36;
// So many lines are read out.
const MOST_READ = 8;

/** A chart's readout row. At rest it shows the newest values. */
export class Readout {
  constructor() {
    this.node = element("div", { class: "gn-readout", "aria-hidden": "true" });
    this.items = [];
  }

  /** Make one item a line; the tasks of other runs are left to the tag, the row would not hold them. */
  configure(tasks, lines, lead) {
    this.step = element("span", { class: "gn-readout-step" });
    this.items = lines
      .filter((line) => line.sole || line.member === lead)
      .sort((a, b) => a.task - b.task || a.member.place - b.member.place)
      .map((line) => ({ line, ...readoutItem(tasks, line) }));
    this.more = element("span", { class: "gn-readout-more" });
    this.node.replaceChildren(this.step, ...this.items.map(({ node }) => node), this.more);
  }

  /** Show a chart's values at a step, as many as there is room for; null: the newest, up to the step `last`, if any. */
  show(step, chart, last) {
    const smoothed = isSmoothed(chart);
    const room = (chart.width ?? 320) - STEP_ROOM - (smoothed ? SMOOTHED_ROOM : 0);
    const most = Math.max(1, Math.floor(room / ITEM_ROOM));
    const at = step ?? last;
    write(this.step, at === undefined ? "" : smoothed ? t("step {step}, smoothed", { step: count(at) }) : t("step {step}", { step: count(at) }));
    let shown = 0;
    let left = 0;
    for (const item of this.items) {
      const there = at !== undefined && chart.shows(item.line);
      const fits = there && shown < most;
      if (fits) shown += 1;
      else if (there) left += 1;
      item.node.hidden = !fits;
      if (fits) write(item.value, significant(chart.valueAt(item.line, step).value, 3));
    }
    write(this.more, left ? `+${left}` : "");
  }
}

function isSmoothed({ sparse, panel }) {
  return !sparse && panel.choices.smoothing > 0;
}

/** A value of a chart as it is drawn, with the one that was measured where that is another. */
function said(chart, { value, raw }, digits) {
  const drawn = significant(value, digits);
  const measured = significant(raw, digits);
  return isSmoothed(chart) && measured !== drawn ? t("{value} (raw {raw})", { value: drawn, raw: measured }) : drawn;
}

/** The values of a chart at a step in words; null: the newest. */
export function valueText(chart, step) {
  const lines = chart.told.filter((line) => chart.shows(line));
  const values = lines.slice(0, MOST_READ).map((line) => `${line.label} ${said(chart, chart.valueAt(line, step), 3)}`);
  const more = lines.length > MOST_READ ? [t("and {count} more", { count: lines.length - MOST_READ })] : [];
  const at = t("step {step}", { step: count(step ?? chart.plot.data[0].at(-1)) });
  return `${at}: ${enumerated([...values, ...more])}`;
}

function readoutItem(tasks, line) {
  const value = element("span");
  const word = line.sole ? line.member.key : line.sign;
  const sign = line.task >= 0 ? swatch(tasks[line.task]) : element("span", { class: "gn-sign" }, notation(word));
  return { value, node: element("span", { class: "gn-readout-item", title: line.label, hidden: true }, [sign, value]) };
}

/** The tag that names the line nearest to the mouse in the hovered chart. */
export class Tag {
  constructor() {
    this.node = element("div", { class: "gn-tag", hidden: true, "aria-hidden": "true" });
  }

  hide() {
    this.node.hidden = true;
  }

  /** Place the tag at the nearest drawable value, if one is near enough. */
  place(u, chart) {
    const index = u.cursor.idx;
    const nearest = index === null || index === undefined ? null : nearestLine(u, chart, u.data[0][index]);
    this.node.hidden = !nearest;
    if (!nearest) return;
    const { line, at, y } = nearest;
    const x = u.valToPos(at.x, "x");
    const width = u.bbox.width / (devicePixelRatio || 1);
    write(this.node, `${line.kind === "target" ? `${t("target")}, ` : ""}${line.label}  ${said(chart, at, 4)}`);
    this.node.style.setProperty("--gn-tag", chart.color(line));
    const flip = x > width / 2;
    this.node.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(${flip ? "calc(-100% - 10px)" : "10px"}, -50%)`;
  }
}

function nearestLine(u, chart, step) {
  let best = null;
  let distance = NEAR;
  for (const line of chart.lines) {
    const at = chart.valueAt(line, step);
    const drawn = line.kind !== "ghost" && chart.shows(line) && at.value - at.value === 0 && (!chart.log || at.value > 0);
    const y = u.valToPos(at.value, "y");
    const away = Math.abs(y - u.cursor.top);
    if (!drawn || away >= distance) continue;
    distance = away;
    best = { line, at, y };
  }
  return best;
}
