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

  /** Make one item a line; targets and the tasks of other runs are left to the tag, the row would not hold them. */
  configure(tasks, lines, lead) {
    this.step = element("span", { class: "gn-readout-step" });
    this.items = lines
      .map((line, index) => ({ line, index }))
      .filter(({ line }) => line.kind !== "target" && (line.sole || line.member === lead))
      .sort((a, b) => a.line.task - b.line.task || a.line.member.place - b.line.member.place)
      .map((item) => ({ ...item, ...readoutItem(tasks, item.line) }));
    this.more = element("span", { class: "gn-readout-more" });
    this.node.replaceChildren(this.step, ...this.items.map(({ node }) => node), this.more);
  }

  /** Show the values at a step, as many as `width` holds; `value` gives that of a line by its place. */
  show(step, value, visible, width = 320) {
    const most = Math.max(1, Math.floor((width - STEP_ROOM) / ITEM_ROOM));
    write(this.step, step === undefined ? "" : `step ${count(step)}`);
    let shown = 0;
    let left = 0;
    for (const item of this.items) {
      const there = step !== undefined && visible(item.line);
      const fits = there && shown < most;
      if (fits) shown += 1;
      else if (there) left += 1;
      item.node.hidden = !fits;
      if (fits) write(item.value, significant(value(item.index), 3));
    }
    write(this.more, left ? `+${left}` : "");
  }
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
    const { line, value, y } = nearest;
    const x = u.valToPos(nearest.x, "x");
    const width = u.bbox.width / (devicePixelRatio || 1);
    write(this.node, `${line.kind === "target" ? "target, " : ""}${line.label}  ${significant(value, 4)}`);
    this.node.style.setProperty("--gn-tag", chart.color(line));
    const flip = x > width / 2;
    this.node.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(${flip ? "calc(-100% - 10px)" : "10px"}, -50%)`;
  }
}

function nearestLine(u, chart, step) {
  let best = null;
  let distance = NEAR;
  chart.lines.forEach((line, i) => {
    const { x, value } = chart.valueAt(i, step);
    if (!chart.shows(line) || value - value !== 0 || (chart.log && value <= 0)) return;
    const y = u.valToPos(value, "y");
    const away = Math.abs(y - u.cursor.top);
    if (away < distance) {
      distance = away;
      best = { line, value, x, y };
    }
  });
  return best;
}
