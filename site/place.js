/** Where a reader of the lesson is: the step, the values of its controls, and what was tried and guessed. */
import { t } from "../assets/live/words.js";

/**
 * @typedef {{ key: string, label: string, slides: boolean, start: string, values: { value: string, text: string }[] }} Control
 * @typedef {{ name: string, short: string, title: string, text: string, attempt: string, question: string, options: string[], right: number, answer: string }} Words as HTML
 * @typedef {Words & { slider: string, across: boolean, controls: Control[] }} Step
 */

export class Place {
  /**
   * What an address says; what it says wrong is in `fault`, and only that falls back.
   * @param {Step[]} steps
   * @param {string} search the address's query
   */
  constructor(steps, search) {
    const query = new URLSearchParams(search);
    this.steps = steps;
    this.fault = "";
    this.presenting = query.get("present") === "1";
    /** @type {Record<string, Record<string, string>>} by step and control */
    this.values = {};
    /** @type {Record<string, Set<string>>} the stops of each step's slider that were tried */
    this.tried = {};
    /** @type {Record<string, number>} */
    this.guesses = {};
    /** @type {Set<string>} the steps whose answer is open */
    this.open = new Set();
    const wanted = query.get("step");
    this.number = wanted === null ? 0 : steps.findIndex(({ name }) => name === wanted);
    if (this.number < 0) {
      this.number = 0;
      this.fault = t("There is no step “{step}”, so this is the first of {count}.", { step: wanted?.slice(0, 20), count: steps.length });
    }
    if (wanted !== null) for (const control of this.step.controls) this.take(control, query.get(control.key));
    this.note();
  }

  take({ key, start, values }, said) {
    if (said === null) return;
    if (values.some(({ value }) => value === said)) this.put(key, said);
    else this.fault = t("There is no {key} = “{found}” here, so it is {value}.", { key, found: said.slice(0, 20), value: start });
  }

  get step() {
    return this.steps[this.number];
  }

  get slider() {
    return /** @type {Control} */ (this.step.controls.find(({ key }) => key === this.step.slider));
  }

  /** The value of a control of this step, as the address spells it. */
  value({ key, start }) {
    return this.values[this.step.name]?.[key] ?? start;
  }

  /** Which of the slider's stops it stands at, from 0. */
  get stop() {
    return this.slider.values.findIndex(({ value }) => value === this.value(this.slider));
  }

  /** Move a control of this step. */
  put(key, value) {
    this.values[this.step.name] = { ...this.values[this.step.name], [key]: value };
    this.note();
  }

  /** Move the slider to a stop, counted from 0. */
  slide(stop) {
    this.put(this.slider.key, this.slider.values[stop].value);
  }

  go(number) {
    this.number = Math.min(Math.max(number, 0), this.steps.length - 1);
    this.note();
  }

  note() {
    const { name } = this.step;
    (this.tried[name] ??= new Set()).add(this.value(this.slider));
  }

  guess(option) {
    this.guesses[this.step.name] = option;
    this.open.add(this.step.name);
  }

  /** Open the answer of this step, or close it. */
  turn() {
    const { name } = this.step;
    if (!this.open.delete(name)) this.open.add(name);
  }

  /** The name of the picture of this place. */
  get picture() {
    return this.step.controls.map((control) => this.value(control)).join(" ");
  }

  /** The address of the place; controls at their start are left out. lang: what the address says of the language. */
  query(lang) {
    const query = new URLSearchParams({ step: this.step.name });
    for (const control of this.step.controls) if (this.value(control) !== control.start) query.set(control.key, this.value(control));
    if (this.presenting) query.set("present", "1");
    if (lang) query.set("lang", lang);
    return `?${query}`;
  }

  /** Which of the stops that were tried is the best, as the page writes it; "" where there is nothing to win. */
  best(scores) {
    const tried = this.slider.values.filter(({ value }) => this.tried[this.step.name].has(value) && value in scores);
    return tried.reduce((best, each) => (best && scores[best.value] <= scores[each.value] ? best : each), /** @type {any} */ (null))?.text ?? "";
  }
}

/**
 * The lines of a picture without the stops that were not tried. Their points are named by the slider's stops.
 * @param {{ x: (string | null)[], y: (number | null)[], name?: string, mode?: string }[]} lines
 * @param {Control} slider
 * @param {Set<string>} tried
 */
export function onlyTried(lines, slider, tried) {
  const hidden = new Set(slider.values.filter(({ value }) => !tried.has(value)).map(({ text }) => text));
  return lines.map((line) => {
    // A level goes from the first place to the last, whatever was tried.
    if (line.mode === "lines" && line.name) return line;
    const shown = line.x.map((x) => x === null || !hidden.has(x));
    return { ...line, x: line.x.filter((_, i) => shown[i]), y: line.y.filter((_, i) => shown[i]) };
  });
}
