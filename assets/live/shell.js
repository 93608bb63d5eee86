/** What surrounds the charts: style sheets, and observers of their size and visibility. */
import { element } from "./dom.js";

const SHEETS = ["../vendor/uplot/uPlot.min.css", "./panel.css", "./stage.css", "./reading.css"];
const NEARBY = "400px";

/** Load the style sheets beside the DOM (a shadow root would not see those of the page), then call `ready`. */
export function loadStyles(root, ready) {
  let waiting = SHEETS.length;
  const arrived = () => {
    waiting -= 1;
    if (!waiting) ready();
  };
  const links = SHEETS.map((path) => element("link", { rel: "stylesheet", href: new URL(path, import.meta.url).href }));
  for (const link of links) link.onload = link.onerror = arrived;
  root.prepend(...links);
}

/** Tell the panel's charts their size, and whether they are on screen and so worth drawing. */
export function observeCharts(panel) {
  const chartOf = (node) => panel.charts?.find((chart) => chart.node === node || chart.host === node);
  const resized = (entries) => {
    for (const { target, contentRect: box } of entries) chartOf(target)?.resize(Math.floor(box.width), Math.floor(box.height));
  };
  const seen = (entries) => {
    for (const { target, isIntersecting } of entries) {
      const chart = chartOf(target);
      if (chart) chart.visible = isIntersecting;
      if (chart?.dirty && isIntersecting) panel.schedule();
    }
  };
  // The page scrolls inside an element of its own, of which rootMargin knows nothing.
  const margins = { rootMargin: NEARBY, scrollMargin: NEARBY };
  return {
    // A frame later: resizing a canvas inside the callback would make the observer loop.
    resize: new ResizeObserver((entries) => requestAnimationFrame(() => panel.alive && resized(entries))),
    seen: new IntersectionObserver(seen, margins),
  };
}
