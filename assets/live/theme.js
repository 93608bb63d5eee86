/** The page's theme as the canvas needs it: resolved colours and a font. */

const PROBE = [
  "position:absolute;width:0;height:0;overflow:hidden;visibility:hidden;border:0 solid",
  "color:var(--st-text-color,#31333f)",
  "background-color:var(--st-background-color,#ffffff)",
  "border-color:var(--st-primary-color,#0072b2)",
  "font-family:var(--st-font,system-ui,sans-serif)",
].join(";");

/** Watches Streamlit's CSS variables from inside the panel, wherever they come from. */
export class Theme {
  constructor(root) {
    this.probe = document.createElement("span");
    this.probe.setAttribute("aria-hidden", "true");
    this.probe.style.cssText = PROBE;
    root.append(this.probe);
    this.key = "";
    this.read();
  }

  /** Read the colours again; true when they changed. */
  read() {
    const style = getComputedStyle(this.probe);
    const key = `${style.color}|${style.backgroundColor}|${style.borderTopColor}|${style.fontFamily}`;
    if (key === this.key || !style.color) return false;
    this.key = key;
    const text = channels(style.color) ?? [49, 51, 63];
    const background = channels(style.backgroundColor) ?? [255, 255, 255];
    const ink = (alpha) => `rgba(${text.slice(0, 3).join(",")},${alpha})`;
    this.dark = luminance(background) < 0.35;
    this.text = ink(1);
    this.neutral = ink(0.78);
    this.muted = ink(0.62);
    this.faint = ink(0.4);
    this.grid = ink(this.dark ? 0.11 : 0.08);
    this.page = style.backgroundColor;
    this.accent = style.borderTopColor;
    this.font = `11px ${style.fontFamily}`;
    return true;
  }

  /** A task's colour on this background. */
  color(task) {
    return this.dark ? task.color.dark : task.color.light;
  }
}

function channels(color) {
  const numbers = color.match(/-?[\d.]+(?:e-?\d+)?/g)?.map(Number);
  if (!numbers || numbers.length < 3) return null;
  const scale = color.startsWith("color(") ? 255 : 1;
  return numbers.slice(0, 3).map((part) => Math.round(part * scale));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
