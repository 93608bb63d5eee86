/** How runs that are drawn together are told apart: a key, a colour and a dash for each. */

/** As many as an eye tells apart. */
export const DASHES = [[], [7, 4], [2, 3], [11, 3, 2, 3], [16, 5], [5, 2, 1, 2], [1, 4], [14, 3, 2, 3, 2, 3]];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * Colours of contenders on light and dark pages, of a contrast of at least 3. Any two differ by 5.8 or more hundredths of
 * OKLab for normal, protan, deutan and tritan eyes alike.
 */
export const COLORS = [
  { light: "#0072B2", dark: "#56B4E9" },
  { light: "#D55E00", dark: "#F0883E" },
  { light: "#549A56", dark: "#89B488" },
  { light: "#7F23A0", dark: "#B299BE" },
  { light: "#655D26", dark: "#E7DA7D" },
  { light: "#AA3062", dark: "#F4ADC2" },
  { light: "#002F7C", dark: "#BCD4FB" },
  { light: "#7E5DE8", dark: "#8E7BE6" },
  { light: "#712E01", dark: "#A67B66" },
  { light: "#0097E8", dark: "#638BAC" },
];

// How far the shades of one hue are mixed with black at one end and white at the other.
const WIDE = 0.5;
const NARROW = 0.3;

/**
 * Marks for the runs of a panel, in their order: `key`; `team`, the key of the runs that differ from it in nothing but the seed;
 * `color` and `teamColor`, each for light and dark pages; `dash`.
 * @param {{ run: string, team?: string, method?: string }[]} entries
 */
export function markings(entries) {
  const teams = grouped(entries, ({ team, run }) => team ?? run);
  const styles = colorsOf(teams.map(([{ method, run }]) => method ?? run));
  const found = new Map();
  teams.forEach((runs, place) => {
    const team = letters(place);
    const teamColor = styles[place];
    const dash = DASHES[place % DASHES.length];
    runs.forEach((entry, i) => {
      const key = runs.length > 1 ? `${team}${i + 1}` : team;
      found.set(entry, { key, team, teamColor, dash, color: shade(teamColor, i, runs.length, NARROW) });
    });
  });
  return entries.map((entry) => found.get(entry));
}

/** A colour for each team; of more than there are colours, those of one method share a hue and differ in tone. */
function colorsOf(methods) {
  if (methods.length <= COLORS.length) return methods.map((_, i) => COLORS[i]);
  const hues = [...new Set(methods)];
  const seen = new Map();
  return methods.map((method) => {
    const before = seen.get(method) ?? 0;
    seen.set(method, before + 1);
    const all = methods.filter((other) => other === method).length;
    return shade(COLORS[hues.indexOf(method) % COLORS.length], before, all, WIDE);
  });
}

/** The i-th of `count` tones of a colour, from the darkest to the lightest on a light page. */
function shade(color, i, count, width) {
  if (count === 1) return color;
  const part = width * ((2 * i) / (count - 1) - 1);
  return { light: mixed(color.light, part > 0 ? 0.8 * part : part), dark: mixed(color.dark, part < 0 ? 0.8 * part : part) };
}

function mixed(color, part) {
  const kept = Math.round(100 * (1 - Math.abs(part)));
  return kept === 100 ? color : `color-mix(in srgb, ${color} ${kept}%, ${part > 0 ? "white" : "black"})`;
}

/** A … Z, AA, AB, … */
function letters(place) {
  const [rest, last] = [Math.floor(place / LETTERS.length), LETTERS[place % LETTERS.length]];
  return rest ? letters(rest - 1) + last : last;
}

/** Lists of what has the same key, in the order of the first of each. */
export function grouped(items, keyOf) {
  const found = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(item);
  }
  return [...found.values()];
}
