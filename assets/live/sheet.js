/** The sheet of a picture for a slide: title, run, settings and address, and what is written and drawn on it. */

export const WIDTH = 1920;
export const HEIGHT = 1080;
export const MARGIN = 72;
export const ROOM = WIDTH - 2 * MARGIN;
export const TEXT = 28;
export const SMALL = 24;
const TITLE = 46;
// A file of its own has no font of the page: what is measured is what will be drawn.
const FONT = "sans-serif";
/** What says where a part of an SVG is. */
const SHAPE = new Set(["d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height", "transform", "text-anchor"]);

export function short(number) {
  return Math.round(number * 10) / 10;
}

/** The sheet: what is written and drawn on it, in the page's colours. */
export class Sheet {
  constructor(theme) {
    this.theme = theme;
    this.parts = [];
    this.ink = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  }

  /** Write what it shows, of which run, and at the lower edge where it can be seen; where the rest may begin. */
  title(title, { run, settings, address }) {
    const muted = { size: SMALL, fill: this.theme.muted };
    this.text(MARGIN, 88, title, { size: TITLE, weight: 600 });
    this.text(MARGIN, 134, run, { size: TEXT });
    if (settings) this.text(MARGIN, 172, this.fitted(settings, SMALL), muted);
    this.text(MARGIN, HEIGHT - 34, this.fitted(address, SMALL), muted);
    return settings ? 200 : 164;
  }

  add(part) {
    this.parts.push(part);
  }

  /** marked: whether _ and ^ set a part of the words lower or higher. */
  text(x, y, words, { size, weight = 400, fill = this.theme.text, anchor = "start", marked = true }) {
    const { color, opacity } = this.resolve(fill);
    const whole = escaped(words);
    const raised = marked ? whole.replace(/([_^])([A-Za-zα-ω]+)/g, (_, sign, part) => `<tspan baseline-shift="${sign === "_" ? "sub" : "super"}" font-size="0.75em">${part}</tspan>`) : whole;
    this.add(`<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${color}" fill-opacity="${opacity}">${raised}</text>`);
  }

  /** How wide words are, in pixels. */
  width(words, size) {
    this.ink.font = `${size}px ${FONT}`;
    return this.ink.measureText(words).width;
  }

  /** Words, cut off where there is no more room, by default where the sheet ends. */
  fitted(words, size, room = ROOM) {
    if (this.width(words, size) <= room) return words;
    return `${words.slice(0, Math.max(0, Math.floor((words.length * room) / this.width(words, size)) - 2))} …`;
  }

  /** Put an SVG of the page at (x, y), `scale` times its size, in the colours that it has there. */
  copy(svg, x, y, scale) {
    this.add(`<g transform="translate(${short(x)} ${short(y)}) scale(${scale})">${[...svg.children].map((child) => this.copied(child)).join("")}</g>`);
  }

  copied(node) {
    const style = getComputedStyle(node);
    if (style.visibility === "hidden" || style.display === "none") return "";
    const kept = [...node.attributes].filter(({ name }) => SHAPE.has(name)).map(({ name, value }) => `${name}="${escaped(value)}"`);
    const inner = node.children.length ? [...node.children].map((child) => this.copied(child)).join("") : escaped(node.textContent);
    return `<${node.tagName} ${[...kept, ...this.looks(style)].join(" ")}>${inner}</${node.tagName}>`;
  }

  /** How a part of an SVG looks, as attributes of its own. */
  looks(style) {
    const paint = (name) => {
      if (style[name] === "none") return [`${name}="none"`];
      const { color, opacity } = this.resolve(style[name]);
      return [`${name}="${color}"`, `${name}-opacity="${opacity}"`];
    };
    const lengths = ["stroke-width", "font-size"].map((name) => `${name}="${parseFloat(style.getPropertyValue(name))}"`);
    const dashes = style.strokeDasharray === "none" ? [] : [`stroke-dasharray="${style.strokeDasharray.replaceAll("px", "")}"`];
    return [...paint("fill"), ...paint("stroke"), ...lengths, ...dashes, `font-weight="${style.fontWeight}"`, `opacity="${style.opacity}"`];
  }

  /** A colour as every program reads it, and its opacity; CSS may mix it of others. */
  resolve(css) {
    const { ink } = this;
    ink.clearRect(0, 0, 1, 1);
    ink.fillStyle = css;
    ink.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = ink.getImageData(0, 0, 1, 1).data;
    return { color: `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`, opacity: short(a / 25.5) / 10 };
  }

  svg(title, description) {
    const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="${FONT}">`;
    const words = `<title>${escaped(title)}</title><desc>${escaped(description)}</desc>`;
    return `${head}${words}<rect width="${WIDTH}" height="${HEIGHT}" fill="${this.resolve(this.theme.page).color}"/>${this.parts.join("\n")}</svg>`;
  }
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
