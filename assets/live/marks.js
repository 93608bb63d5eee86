/** Vertical marks with a label above the plot: live changes, forks, the checkpoint chosen to travel to. */
import { t } from "./words.js";

const LABEL_ROOM = 46;

/**
 * The marks of a panel's charts, the most important first: where labels would overlap, the first is read.
 * `changes` are {step, label} of the run in front, oldest first.
 */
export function marksOf(panel, changes) {
  const { choices, members } = panel;
  const { travel } = choices;
  // From the newest back: the value that was arrived at is the one to read.
  const changed = changes.toReversed().map(({ step, label }) => ({ step, label, dash: [3, 3] }));
  const forks = new Set(members.map(({ run }) => run?.forked_at ?? 0).filter(Boolean));
  const branches = [...forks].map((step) => ({ step, label: t("fork at {step}", { step }), dash: [] }));
  const here = travel === null ? [] : [{ step: travel, label: t("step {step}", { step: travel }), dash: [], strong: true }];
  return [...here, ...branches, ...changed];
}

/** Draw the marks inside the visible x range, leaving out labels that would overlap. */
export function drawMarks(u, marks, theme) {
  if (!marks.length) return;
  const { ctx } = u;
  const ratio = devicePixelRatio || 1;
  const { min, max } = u.scales.x;
  const taken = [];
  ctx.save();
  ctx.font = scaled(theme.font, ratio);
  ctx.textBaseline = "bottom";
  for (const mark of marks) {
    if (mark.step < min || mark.step > max) continue;
    const x = Math.round(u.valToPos(mark.step, "x", true)) + 0.5;
    rule(u, x, mark, theme, ratio);
    name(u, x, mark, theme, ratio, taken);
  }
  ctx.restore();
}

/**
 * Write the key of each contender at the end of its line, where it has but one. Keys that would overlap move apart; where
 * there is no room for all, some are left out, and never that of the one in front, the last of `ends`.
 */
export function drawEnds(u, ends, theme) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  const room = 13 * ratio;
  const all = ends
    .map(({ key, step, value, color }, i) => ({ key, color, front: i === ends.length - 1, x: u.valToPos(step, "x", true), y: u.valToPos(value, "y", true) }))
    .filter(({ x, y }) => x >= bbox.left && x <= bbox.left + bbox.width + 1 && y === y)
    .sort((a, b) => a.y - b.y);
  const placed = all.length * room > bbox.height ? thinned(all, room) : all;
  placed.forEach((end, i) => {
    const above = placed.slice(0, i).filter(({ x }) => Math.abs(x - end.x) < room).at(-1);
    if (above) end.y = Math.max(end.y, above.y + room);
  });
  lift(placed, bbox.top + bbox.height, room);
  ctx.save();
  ctx.font = `600 ${scaled(theme.font, ratio)}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3 * ratio;
  ctx.strokeStyle = theme.page;
  for (const { key, x, y, color } of placed) {
    // A halo keeps it legible on the line of another run.
    ctx.strokeText(key, x + 4 * ratio, y);
    ctx.fillStyle = color;
    ctx.fillText(key, x + 4 * ratio, y);
  }
  ctx.restore();
}

/** Of keys from above to below those that do not overlap the one before, nor the one in front. */
function thinned(all, room) {
  const front = all.find((end) => end.front);
  let last = -Infinity;
  return all.filter((end) => {
    const apart = end.y - last >= room && (!front || Math.abs(end.y - front.y) >= room);
    if (end !== front && !apart) return false;
    last = end.y;
    return true;
  });
}

/** Move keys up that were pushed below the plot. */
function lift(placed, floor, room) {
  for (let i = placed.length - 1; i >= 0; i -= 1) {
    const below = placed.slice(i + 1).filter(({ x }) => Math.abs(x - placed[i].x) < room);
    const limit = Math.min(floor, ...below.map(({ y }) => y - room));
    // Where there is no neighbour a key stays at its line's end.
    if (placed[i].y > limit) placed[i].y = limit;
  }
}

function rule({ ctx, bbox }, x, { dash, strong }, theme, ratio) {
  ctx.strokeStyle = strong ? theme.accent : theme.faint;
  ctx.lineWidth = ratio * (strong ? 1.5 : 1);
  ctx.setLineDash(dash.map((part) => part * ratio));
  ctx.beginPath();
  ctx.moveTo(x, bbox.top - 3 * ratio);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}

function name({ ctx, bbox }, x, { label, strong }, theme, ratio, taken) {
  const room = Math.max(LABEL_ROOM * ratio, ctx.measureText(label).width + 10 * ratio);
  const end = bbox.left + bbox.width;
  // Above the plot, where no line can cross it.
  const right = x + room > end + LABEL_ROOM;
  const span = right ? [end - room, end] : [x - room / 2, x + room / 2];
  if (taken.some(([low, high]) => span[0] < high && span[1] > low)) return;
  taken.push(span);
  ctx.textAlign = right ? "right" : "center";
  ctx.fillStyle = strong ? theme.accent : theme.muted;
  ctx.fillText(label, right ? end : x, bbox.top - 4 * ratio);
}

function scaled(font, ratio) {
  return font.replace(/^([\d.]+)px/, (_, size) => `${size * ratio}px`);
}
