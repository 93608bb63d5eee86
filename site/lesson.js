/** The lesson without a server: its texts and its pictures were made beforehand, `tools/static_lesson.py` says how. */
import { element, press, segments, write } from "../assets/live/dom.js";
import { recall } from "../assets/live/kept.js";
import { language, t } from "../assets/live/words.js";
import { atLab, LAB_KEY } from "./settings.js";
import { begin } from "./page_words.js";
import { onlyTried, Place } from "./place.js";

// How long a stop is shown while the slider moves by itself, and a whole step once it has arrived, in milliseconds.
const STOP = 500;
const TOUR = 8000;
// The height of a picture where it was made, and how much of the screen its page has for it.
const HEIGHT = 390;
// The height of a row of letters and the mean width of a letter, in sizes of the font.
const ROW = 1.3;
const LETTER = 0.55;
const dark = matchMedia("(prefers-color-scheme: dark)");
const node = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const { Plotly } = /** @type {any} */ (window);

/** Ask for a file of the lesson, once. */
const files = new Map();
async function file(name) {
  if (!files.has(name)) files.set(name, fetch(new URL(`../lesson/${name}.json`, import.meta.url)).then((answer) => answer.json()));
  return files.get(name);
}

class Lesson {
  /** @param {import("./place.js").Step[]} steps */
  constructor(steps) {
    this.place = new Place(steps, location.search);
    this.lang = new URLSearchParams(location.search).get("lang");
    this.timer = 0;
    this.touring = false;
    this.bar();
    this.show();
    dark.addEventListener("change", () => this.draw());
    addEventListener("resize", () => this.draw());
    addEventListener("popstate", () => {
      this.halt();
      const { guesses, open, tried } = this.place;
      this.place = Object.assign(new Place(steps, location.search), { guesses, open });
      for (const [name, stops] of Object.entries(tried)) this.place.tried[name] = new Set([...stops, ...(this.place.tried[name] ?? [])]);
      this.show();
    });
  }

  /** What turns pages: `assets/lesson.js` has the keys, and finds buttons by the names that Streamlit gives them. */
  bar() {
    const { steps } = this.place;
    this.list = steps.map(({ short }, number) => this.button(`${number + 1} ${short}`, () => this.go(number)));
    this.count = element("strong");
    this.buttons = {
      previous: this.button(t("Previous"), () => this.go(this.place.number - 1)),
      tour: this.button(t("Tour"), () => this.tour()),
      present: this.button(t("Present"), () => this.present()),
      next: this.button(t("Next"), () => this.go(this.place.number + 1), "primary"),
    };
    const keyed = (name) => element("span", { class: `st-key-lesson-${name}` }, this.buttons[name]);
    node("bar").append(
      keyed("previous"),
      element("div", { class: "list st-key-lesson-steps" }, this.list),
      this.count,
      keyed("tour"),
      keyed("present"),
      keyed("next"),
    );
  }

  button(text, act, kind = "") {
    const button = element("button", { type: "button", class: kind }, text);
    button.addEventListener("click", act);
    return button;
  }

  go(number) {
    if (!this.touring) this.halt();
    this.place.fault = "";
    this.place.go(number);
    this.visit();
  }

  /** Show another place, which Back leads away from. */
  visit() {
    history.pushState(null, "", location.pathname + this.place.query(this.lang));
    this.show();
  }

  /** Show the step of the place. */
  show() {
    const { place } = this;
    const { step, number, steps } = place;
    write(node("fault"), place.fault);
    document.body.classList.toggle("present", place.presenting);
    write(this.count, `${number + 1} / ${steps.length}`);
    this.buttons.previous.disabled = number === 0;
    this.buttons.next.disabled = number === steps.length - 1;
    write(this.buttons.present, place.presenting ? t("Leave") : t("Present"));
    this.list.forEach((button, i) => button.setAttribute("aria-current", i === number ? "step" : "false"));
    this.list[number].scrollIntoView({ block: "nearest", inline: "nearest" });
    node("lesson").dataset.step = step.name;
    node("lesson").replaceChildren(this.text(step), this.trial(step));
    document.querySelector(".lesson-place")?.remove();
    document.body.append(element("div", { class: "lesson-place", "data-step": step.name, "data-steps": steps.map(({ name }) => name).join(" ") }));
    this.answer();
    this.moved();
    scrollTo(0, 0);
  }

  text({ title, text, attempt, question, options }) {
    this.options = options.map((option, i) => {
      const button = this.button("", () => {
        this.place.guess(i);
        this.answer();
      });
      button.innerHTML = option;
      return button;
    });
    this.reveal = this.button("", () => {
      this.place.turn();
      this.answer();
    });
    this.words = html("div", { class: "words" }, `${text}<div class="attempt">${attempt}</div>`);
    this.told = element("div", { class: "answer", role: "status" });
    const asked = html("p", { id: "question" }, `<b>${t("Your guess?")}</b> ${question}`);
    const group = element("div", { class: "options", role: "group", "aria-labelledby": "question" }, [...this.options, element("span", { class: "st-key-lesson-reveal" }, this.reveal)]);
    const keys = element("p", { class: "keys" }, t("← → or a clicker: turn pages · space: play · Enter: answer · ↑ ↓: move a slider · P: present"));
    return element("article", { class: "text" }, [html("h1", {}, title), this.words, element("section", { class: "question" }, [asked, group, this.told]), keys]);
  }

  /** Show the guess, and the answer where it is open. */
  answer() {
    const { place } = this;
    const { name, right, answer } = place.step;
    const guess = place.guesses[name];
    const open = place.open.has(name);
    this.options.forEach((button, i) => button.setAttribute("aria-pressed", String(i === guess)));
    write(this.reveal, open ? t("Hide the answer") : t("Answer"));
    const verdict = guess === undefined ? "" : `<b>${guess === right ? t("Right.") : t("Not so.")}</b> `;
    this.told.innerHTML = open ? `${verdict}${answer}`.replace(/^(<b>.*?<\/b> )<p>/, "<p>$1") : "";
    this.words.classList.toggle("answered", open);
  }

  trial({ controls }) {
    this.controls = controls.map((control) => (control.slides ? new SliderField(control, this) : new ChoiceField(control, this)));
    this.play = this.button(t("Play"), () => (this.timer ? this.halt() : this.start()));
    const beat = this.button(t("Next value"), () => this.slide((this.place.stop + 1) % this.place.slider.values.length));
    const buttons = [element("span", { class: "st-key-lesson-play" }, this.play), element("span", { class: "st-key-lesson-beat" }, beat)];
    this.charts = element("div", { class: "charts" });
    this.reading = element("p", { class: "reading", "aria-live": "polite" });
    this.onward = element("a", { target: "_blank", rel: "noopener" }, t("Open this in the lab"));
    const row = element("div", { class: "controls" }, [...this.controls.map(({ node: field }) => field), ...buttons]);
    return element("section", { class: "trial", "aria-label": t("To try") }, [row, this.charts, this.reading, element("p", { class: "onward" }, this.onward)]);
  }

  slide(stop) {
    this.place.slide(stop);
    this.moved();
  }

  put(key, value) {
    this.place.put(key, value);
    this.moved();
  }

  /** A control of the step has moved. */
  moved() {
    history.replaceState(null, "", location.pathname + this.place.query(this.lang));
    for (const control of this.controls) control.show(this.place, Boolean(this.timer));
    void this.draw();
  }

  /** Draw the picture of the place. */
  async draw() {
    const { place } = this;
    const { step, picture } = place;
    const pictures = await file(`${language()}/${step.name}-${dark.matches ? "dark" : "light"}`);
    if (step !== this.place.step || picture !== this.place.picture) return; // the reader has gone on
    const { figures, reading, settings, scores } = pictures[picture];
    const best = place.best(scores);
    this.reading.innerHTML = `${reading} ${best && t("Your best so far is {best}.", { best })}`;
    this.onward.hidden = !settings;
    this.onward.href = atLab(recall(LAB_KEY), settings);
    while (this.charts.childElementCount < figures.length) this.charts.append(element("figure"));
    const zoom = Number(getComputedStyle(document.body).getPropertyValue("--zoom")) || 1;
    await Promise.all(
      figures.map(({ alt, data, layout }, i) => {
        const chart = /** @type {HTMLElement} */ (this.charts.children[i]);
        chart.setAttribute("aria-label", alt);
        const lines = step.across ? onlyTried(data, place.slider, place.tried[step.name]) : data;
        return Plotly.react(chart, lines, dressed(layout, zoom, chart.clientWidth, figures.length), camera(step.name));
      }),
    );
    node("lesson").dataset.drawn = `${step.name} ${picture}`;
  }

  /** Let the slider move by itself, from the start if it is at the end. */
  start() {
    if (this.place.stop === this.place.slider.values.length - 1) this.place.slide(0);
    this.wait(STOP);
    this.moved();
  }

  halt() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.touring = false;
    write(this.buttons.tour, t("Tour"));
    write(this.play, t("Play"));
    for (const control of this.controls) control.show(this.place, false);
  }

  wait(time) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.beat(), time);
    write(this.play, t("Pause"));
  }

  beat() {
    const { place } = this;
    const last = place.slider.values.length - 1;
    if (place.stop < last) {
      place.slide(place.stop + 1);
      this.wait(place.stop === last && this.touring ? TOUR : STOP);
      this.moved();
    } else if (this.touring) {
      this.wait(STOP);
      this.go((place.number + 1) % place.steps.length);
      this.wait(STOP);
    } else this.halt();
  }

  /** Let pages turn by themselves, or stop them. */
  tour() {
    if (this.touring) {
      this.halt();
      return;
    }
    this.touring = true;
    write(this.buttons.tour, t("Stop the tour"));
    this.start();
  }

  present() {
    this.place.presenting = !this.place.presenting;
    this.visit();
  }
}

class SliderField {
  constructor(control, lesson) {
    const { key, label, values } = control;
    this.control = control;
    this.input = element("input", { type: "range", id: `control-${key}`, min: 0, max: values.length - 1, step: 1 });
    this.output = element("output", { for: this.input.id });
    this.input.addEventListener("input", () => lesson.put(key, values[Number(this.input.value)].value));
    this.node = element("div", { class: "field" }, [element("label", { for: this.input.id }, label), element("span", { class: "line" }, [this.input, this.output])]);
  }

  show(place, moving) {
    const { control } = this;
    const stop = control.values.findIndex(({ value }) => value === place.value(control));
    const { text } = control.values[stop];
    this.input.value = String(stop);
    // While it moves by itself it can't be moved.
    this.input.disabled = moving && control === place.slider;
    this.input.setAttribute("aria-valuetext", text);
    write(this.output, text);
  }
}

class ChoiceField {
  constructor(control, lesson) {
    const { key, label, values } = control;
    this.control = control;
    this.group = segments(label, values.map(({ value, text }) => [value, text]), (value) => lesson.put(key, value));
    this.node = element("div", { class: "field choice" }, [element("span", { "aria-hidden": "true" }, label), this.group]);
  }

  show(place) {
    press(this.group, place.value(this.control));
  }
}

/** A figure's layout in the page's colours, at the size that the screen has room for. width: of its place, in pixels. beside: how many are shown. */
function dressed(layout, zoom, width, beside) {
  const sized = (part) => scaled(part, zoom);
  const title = sized(layout.title);
  const lines = wrapped(title.text, width / (LETTER * title.font.size));
  const style = getComputedStyle(document.documentElement);
  const probe = element("i", { style: "color: var(--st-text-color); background-color: var(--st-border-color)" });
  document.body.append(probe);
  const { color, backgroundColor: grid } = getComputedStyle(probe);
  probe.remove();
  const axes = Object.fromEntries(Object.entries(layout).filter(([key]) => /^[xy]axis/.test(key)).map(([key, axis]) => [key, { gridcolor: grid, zerolinecolor: grid, linecolor: grid, ...sized(axis) }]));
  return {
    ...sized(layout),
    ...axes,
    // Plotly puts the middle of several rows where it would put one.
    title: { ...title, x: 0, text: lines.join("<br>"), pad: { t: title.pad.t + ((lines.length - 1) * ROW * title.font.size) / 2 } },
    // In half the width a legend needs more rows.
    margin: { ...sized(layout.margin), t: (beside > 1 ? 92 : 72) * zoom + (lines.length - 1) * ROW * title.font.size },
    height: HEIGHT * zoom,
    font: { ...sized(layout.font), color, family: style.getPropertyValue("--st-font") },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
  };
}

/** A text in rows of so many letters, but for longer words. */
function wrapped(text, letters) {
  return text.split(" ").reduce((rows, word) => {
    const row = `${rows.at(-1) ?? ""} ${word}`.trim();
    return rows.length && row.length > letters ? [...rows, word] : [...rows.slice(0, -1), row];
  }, /** @type {string[]} */ ([]));
}

/** Sizes of letters and margins, enlarged. */
function scaled(part, zoom) {
  if (Array.isArray(part) || typeof part !== "object" || part === null) return part;
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, typeof value === "number" && (key === "size" || /^[lrtb]$/.test(key)) ? value * zoom : scaled(value, zoom)]));
}

/** What the button above a chart saves: a picture for a slide. */
function camera(name) {
  return { displaylogo: false, responsive: true, modeBarButtons: [["toImage"]], toImageButtonOptions: { format: "png", filename: `lesson-${name}`, width: 960, height: 540, scale: 2 } };
}

function html(tag, attributes, text) {
  const made = element(tag, attributes);
  made.innerHTML = text;
  return made;
}

await begin();
/** @type {HTMLAnchorElement} */ (node("playground")).search = new URLSearchParams(location.search).has("lang") ? `?lang=${language()}` : "";
new Lesson(await file(language()));
