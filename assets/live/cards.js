/** The cards of the network and of the data as SVGs of their own for a slide: what the page shows, larger. */
import { HEIGHT, MARGIN, ROOM, SMALL, Sheet, TEXT, WIDTH } from "./sheet.js";

const GAP = 40;
// Below the pictures: the address.
const BOTTOM = 80;
const TALLEST_ROW = 150;

/** The networks that are shown, as SVG text. words: `run`, `settings` and `address`, written beside them. */
export function networkPicture({ panel, node, heading, gloss }, words) {
  const shown = [...node.querySelectorAll(".gn-net")].filter((net) => getComputedStyle(net).display !== "none");
  const figures = shown.map((net) => ({ svg: net.querySelector("svg"), words: net.querySelector("figcaption").textContent }));
  const said = shown.map((net) => net.querySelector("[role=img]").getAttribute("aria-label"));
  const [page, title, top] = begun(panel, heading, gloss, words);
  spread(page, figures, top);
  return page.svg(title, said.join(" "));
}

/** The answers that are shown, as SVG text. */
export function dataPicture({ panel, body, heading, gloss }, words) {
  const figures = [...body.querySelectorAll("figure")].map((figure) => ({ svg: figure.querySelector("svg"), words: figure.querySelector("figcaption").textContent }));
  const [page, title, top] = begun(panel, heading, gloss, words);
  if (figures.length) spread(page, figures, top);
  else rows(page, body.querySelector("table"), panel.tasks, top);
  return page.svg(title, gloss.textContent);
}

/**
 * A sheet with its title and what explains it; the title, and where the rest may begin.
 * @returns {[Sheet, string, number]}
 */
function begun({ theme }, heading, gloss, words) {
  const page = new Sheet(theme);
  const title = [...heading.children].map(({ textContent }) => textContent).filter(Boolean).join(", ");
  const top = page.title(title, words);
  page.text(MARGIN, top + 10, page.fitted(gloss.textContent, SMALL), { size: SMALL, fill: theme.muted, marked: false });
  return [page, `${title}: ${words.run}`, top + 50];
}

/** Put figures, each with its words above it, beside and below each other, as large as they fit. */
function spread(page, figures, top) {
  const { width, height } = figures[0].svg.viewBox.baseVal;
  const high = HEIGHT - BOTTOM - top;
  const scaleOf = (columns) => {
    const lines = Math.ceil(figures.length / columns);
    return Math.min((ROOM - (columns - 1) * GAP) / columns / width, (high / lines - TEXT - GAP) / height);
  };
  const columns = figures.reduce((best, _, i) => (scaleOf(i + 1) > scaleOf(best) ? i + 1 : best), 1);
  const scale = scaleOf(columns);
  const across = Math.min(columns, figures.length) * (width * scale + GAP) - GAP;
  const line = height * scale + TEXT + GAP;
  const first = top + (high - line * Math.ceil(figures.length / columns)) / 2;
  figures.forEach(({ svg, words }, i) => {
    const x = (WIDTH - across) / 2 + (i % columns) * (width * scale + GAP);
    const y = first + Math.floor(i / columns) * line;
    page.text(x, y + TEXT, page.fitted(words, SMALL, width * scale), { size: SMALL, marked: false });
    page.copy(svg, x, y + TEXT + 14, scale);
  });
}

/** Write a table of test examples; its heads have the colours of the tasks. */
function rows(page, table, tasks, top) {
  const lines = [...table.rows].map(({ cells }) => [...cells]);
  const width = ROOM / lines[0].length;
  const high = Math.min(TALLEST_ROW, (HEIGHT - BOTTOM - top) / lines.length);
  lines.forEach((cells, line) => cells.forEach((cell, column) => {
    const [x, y] = [MARGIN + column * width, top + line * high];
    if (line === 0 && column > 0) page.add(`<rect x="${x}" y="${y}" width="40" height="6" fill="${page.resolve(page.theme.color(tasks[column - 1])).color}"/>`);
    entry(page, cell, x, y, width - 16, high);
  }));
}

/** A cell: a test picture, or the truth above the answer. */
function entry(page, cell, x, y, width, high) {
  const thumb = cell.querySelector("canvas");
  if (thumb) {
    const size = Math.min((high - 16) / thumb.height, width / thumb.width);
    page.add(`<image x="${x}" y="${y}" width="${thumb.width * size}" height="${thumb.height * size}" style="image-rendering:pixelated" href="${thumb.toDataURL()}"/>`);
    return;
  }
  const truth = cell.querySelector(".gn-truth-word");
  const said = truth ? [truth.textContent, cell.querySelector("b").textContent] : [cell.textContent];
  said.forEach((words, i) => {
    const fill = truth && i === 0 ? page.theme.muted : page.theme.text;
    page.text(x, y + 36 + i * (SMALL + 8), page.fitted(words, SMALL, width), { size: SMALL, weight: truth && i === 0 ? 400 : 600, fill, marked: false });
  });
}
