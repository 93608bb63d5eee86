/** Smoothing as the reader meets it: light unless it is turned off, and what was measured as a faint line behind. */
import { t } from "./words.js";

/** What lines are smoothed by at first: about as much as a mean over four rows. */
export const LIGHT = 0.7;

// Ghosts of more lines would be a fog.
const MOST_GHOSTS = 12;
const INK = 0.3;

/** The lines of the run in front as they were measured, to be drawn behind the smoothed ones. */
export function ghostsOf(lines, { entrant, choices }, sparse) {
  if (sparse || !choices.smoothing) return [];
  const smoothed = lines.filter((line) => line.member === entrant && !line.kind);
  if (smoothed.length > MOST_GHOSTS) return [];
  return smoothed.map((line) => ({ ...line, kind: "ghost", sole: false, width: 1, dash: [], opacity: INK }));
}

/** What a chart's lines are, in words that follow what the chart shows; "" where they are as measured. */
export function smoothedWords(chart) {
  if (chart.sparse || !chart.panel.choices.smoothing) return "";
  const ghosts = chart.lines.some(({ kind }) => kind === "ghost");
  return `; ${ghosts ? t("smoothed, with what was measured fainter behind") : t("smoothed")}`;
}
