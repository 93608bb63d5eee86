/** Hands on a chart: keys read values and zoom, two fingers pinch, one finger moves what is zoomed. */

const ZOOM = 2;
const PAN = 0.25;
const FEW = 10;
// A tap and a second one: milliseconds, pixels between them, and those that a finger at rest may slip.
const TAP = 300;
const NEAR = 30;
const STILL = 5;

/** Make a chart's plot answer to the keyboard. */
export function listenToKeys(chart, host) {
  host.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !chart.plot) return;
    const action = keys(chart)[event.shiftKey && event.key.startsWith("Arrow") ? `Shift ${event.key}` : event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
  host.addEventListener("blur", () => chart.voice.point(null));
}

/** What each key does. */
function keys(chart) {
  const { choices } = chart.panel;
  const around = () => chart.voice.pointed ?? middle(choices.range());
  return {
    ArrowLeft: () => chart.voice.step(-1),
    ArrowRight: () => chart.voice.step(1),
    ArrowDown: () => chart.voice.step(-1),
    ArrowUp: () => chart.voice.step(1),
    PageDown: () => chart.voice.step(-FEW),
    PageUp: () => chart.voice.step(FEW),
    Home: () => chart.voice.step(-Infinity),
    End: () => chart.voice.step(Infinity),
    "+": () => choices.zoomBy(1 / ZOOM, around()),
    "=": () => choices.zoomBy(1 / ZOOM, around()),
    "-": () => choices.zoomBy(ZOOM, around()),
    "Shift ArrowLeft": () => choices.pan(-PAN),
    "Shift ArrowRight": () => choices.pan(PAN),
    Escape: () => choices.setZoom(null),
    0: () => choices.setZoom(null),
  };
}

function middle({ min, max }) {
  return (min + max) / 2;
}

/** Make the surface of a uPlot answer to fingers. The page scrolls by one that moves up or down: CSS sees to that. */
export function listenToFingers(chart, surface) {
  const hold = new Fingers(chart, surface);
  surface.addEventListener("pointerdown", (event) => event.pointerType === "touch" && hold.down(event));
  surface.addEventListener("pointermove", (event) => event.pointerType === "touch" && hold.move(event));
  for (const end of ["pointerup", "pointercancel"]) {
    surface.addEventListener(end, (event) => event.pointerType === "touch" && hold.up(event));
  }
}

class Fingers {
  constructor(chart, surface) {
    this.chart = chart;
    this.surface = surface;
    /** Where each finger is, in shares of the surface's width. @type {Map<number, number>} */
    this.places = new Map();
    this.start = 0;
    this.tapped = { at: -Infinity, x: 0, y: 0 };
  }

  get choices() {
    return this.chart.panel.choices;
  }

  down(event) {
    this.surface.setPointerCapture(event.pointerId);
    this.places.set(event.pointerId, this.share(event));
    this.moved = this.places.size > 1;
    this.start = event.clientX;
    this.begin();
  }

  /** From here on: which steps lie under the fingers. */
  begin() {
    const { min, max } = this.choices.range();
    this.grabbed = this.sorted().map((share) => min + share * (max - min));
    this.width = max - min;
  }

  move(event) {
    if (!this.places.has(event.pointerId)) return;
    this.places.set(event.pointerId, this.share(event));
    this.moved ||= Math.abs(event.clientX - this.start) > STILL;
    if (!this.moved) return;
    const [left, right] = this.sorted();
    const [from, to] = this.grabbed;
    // What lies under a finger stays there.
    if (this.places.size === 2 && right - left > 0.02) {
      this.width = (to - from) / (right - left);
      this.choices.look(from - left * this.width, from + (1 - left) * this.width);
    } else if (this.places.size === 1 && this.choices.zoom) {
      this.choices.look(from - left * this.width, from + (1 - left) * this.width);
    }
  }

  up(event) {
    const held = this.places.delete(event.pointerId);
    if (event.type === "pointerup" && held && !this.moved) this.tap(event);
    this.begin();
  }

  tap({ clientX: x, clientY: y, timeStamp: at }) {
    const { tapped } = this;
    this.tapped = { at, x, y };
    if (at - tapped.at > TAP || Math.hypot(x - tapped.x, y - tapped.y) > NEAR) return;
    this.tapped.at = -Infinity;
    this.choices.setZoom(null);
  }

  share({ clientX }) {
    const box = this.surface.getBoundingClientRect();
    return (clientX - box.left) / box.width;
  }

  sorted() {
    return [...this.places.values()].sort((a, b) => a - b);
  }
}
