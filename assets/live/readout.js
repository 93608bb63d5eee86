/** The values under the cursor: one compact row a chart, and a tag at the nearest line. */
import { count, significant } from "./format.js";
import { element, notation, swatch, write } from "./dom.js";

const STEP_ROOM = 120;
const ITEM_ROOM = 68;
const NEAR = 36;

/** A chart's readout row. At rest it shows the newest values. */
export class Readout {
  constructor() {
    this.node = element("div", { class: "gn-readout", "aria-hidden": "true" });
    this.items = [];
  }

  /** Make one item a line; targets are left to the tag, the row would not hold them. */
  configure(run, lines) {
    this.step = element("span", { class: "gn-readout-step" });
    this.items = lines
      .map((line, i) => ({ line, series: i + 1 }))
      .filter(({ line }) => line.kind !== "target")
      .sort((a, b) => a.line.task - b.line.task)
      .map((item) => ({ ...item, ...readoutItem(run, item.line) }));
    this.more = element("span", { class: "gn-readout-more" });
    this.node.replaceChildren(this.step, ...this.items.map(({ node }) => node), this.more);
  }

  /** Show the values of row `index` of the drawn data, as many as `width` holds. */
  show(data, index, visible, width = 320) {
    const most = Math.max(1, Math.floor((width - STEP_ROOM) / ITEM_ROOM));
    const step = data[0][index];
    write(this.step, step === undefined ? "" : `step ${count(step)}`);
    let shown = 0;
    let left = 0;
    for (const item of this.items) {
      const there = step !== undefined && visible(item.line);
      const fits = there && shown < most;
      if (fits) shown += 1;
      else if (there) left += 1;
      item.node.hidden = !fits;
      if (fits) write(item.value, significant(data[item.series][index], 3));
    }
    write(this.more, left ? `+${left}` : "");
  }
}

function readoutItem(run, line) {
  const value = element("span");
  const sign = line.task >= 0 ? swatch(run.tasks[line.task]) : element("span", { class: "gn-sign" }, notation(line.sign));
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
    const nearest = index === null || index === undefined ? null : nearestLine(u, chart, index);
    this.node.hidden = !nearest;
    if (!nearest) return;
    const { line, value, y } = nearest;
    const x = u.valToPos(u.data[0][index], "x");
    const width = u.bbox.width / (devicePixelRatio || 1);
    write(this.node, `${line.kind === "target" ? "target, " : ""}${line.label}  ${significant(value, 4)}`);
    this.node.style.setProperty("--gn-tag", chart.color(line));
    const flip = x > width / 2;
    this.node.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(${flip ? "calc(-100% - 10px)" : "10px"}, -50%)`;
  }
}

function nearestLine(u, chart, index) {
  let best = null;
  let distance = NEAR;
  chart.lines.forEach((line, i) => {
    const value = u.data[i + 1][index];
    if (!chart.shows(line) || value - value !== 0 || (chart.log && value <= 0)) return;
    const y = u.valToPos(value, "y");
    const away = Math.abs(y - u.cursor.top);
    if (away < distance) {
      distance = away;
      best = { line, value, y };
    }
  });
  return best;
}
