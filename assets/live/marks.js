/** Marks where the asymmetry α was changed: a dashed line and a small label. */
import { tick } from "./format.js";

const LABEL_ROOM = 46;

/** Draw one mark per change inside the visible x range, leaving out labels that would overlap. */
export function drawMarks(u, marks, theme) {
  if (!marks.length) return;
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  const { min, max } = u.scales.x;
  let taken = Infinity;
  ctx.save();
  ctx.font = scaled(theme.font, ratio);
  ctx.textBaseline = "bottom";
  // From the newest back: where labels would overlap, the α that was arrived at is the one to read.
  for (const { step, alpha } of marks.toReversed()) {
    if (step < min || step > max) continue;
    const x = Math.round(u.valToPos(step, "x", true)) + 0.5;
    ctx.strokeStyle = theme.faint;
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top - 3 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x > taken) continue;
    taken = x - LABEL_ROOM * ratio;
    // Above the plot, where no line can cross it.
    const right = x + LABEL_ROOM * ratio > bbox.left + bbox.width + LABEL_ROOM;
    ctx.textAlign = right ? "right" : "center";
    ctx.fillStyle = theme.muted;
    ctx.fillText(`α ${tick(alpha)}`, right ? bbox.left + bbox.width : x, bbox.top - 4 * ratio);
  }
  ctx.restore();
}

function scaled(font, ratio) {
  return font.replace(/^([\d.]+)px/, (_, size) => `${size * ratio}px`);
}
