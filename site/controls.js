/** The fields of the settings. A field that cannot be read says why, and its setting stays. */
import { element, segments, press, write } from "../assets/live/dom.js";
import { read, withTasks } from "./settings.js";
import { later, t } from "../assets/live/words.js";

const TASKS_HELP = later("How many tasks share the network.");

/** All fields but α's slider, which is beside the buttons. `changed(key)` hears of each change. */
export class Controls {
  /**
   * @param {HTMLElement} form
   * @param {HTMLInputElement} alpha the slider.
   */
  constructor(form, alpha, settings, declared, changed) {
    this.declared = declared;
    this.settings = settings;
    this.changed = changed;
    this.alpha = alpha;
    this.slide(alpha);
    this.tasks = element("input", { id: "tasks", type: "range", min: 1, max: declared.sigmas.length, step: 1 });
    this.tasks.addEventListener("input", () => this.set("sigmas", withTasks(settings.sigmas, Number(this.tasks.value), declared)));
    this.shown = element("output", { for: "tasks" });
    const more = ["half_life", "learning_rate", "seed", "steps"];
    this.inputs = Object.fromEntries(["sigmas", ...more].map((key) => [key, this.input(key)]));
    this.update = segments(t(declared.options.update.title), declared.options.update.choices.map((name) => [name, name]), (name) => this.set("update", name));
    form.append(
      this.race(),
      field("tasks", t("Tasks"), t(TASKS_HELP), [this.tasks, this.shown]),
      this.field("sigmas"),
      element("details", {}, [element("summary", {}, t("More settings")), this.group("update", this.update), ...more.map((key) => this.field(key))]),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    this.show();
  }

  set(key, value) {
    this.settings[key] = value;
    this.show();
    this.changed(key);
  }

  /** Write the settings into the fields. */
  show() {
    const { settings } = this;
    this.alpha.value = String(settings.alpha);
    this.alpha.setAttribute("aria-valuetext", `α ${settings.alpha}`);
    write(/** @type {HTMLElement} */ (this.alpha.nextElementSibling), String(settings.alpha));
    this.tasks.value = String(settings.sigmas.length);
    write(this.shown, String(settings.sigmas.length));
    for (const [key, input] of Object.entries(this.inputs)) if (input !== document.activeElement || !input.validationMessage) input.value = textOf(settings[key]);
    press(this.update, settings.update);
    for (const box of this.boxes) box.checked = settings.race.includes(box.value);
  }

  slide(alpha) {
    const [min, max, step] = this.declared.options.alpha.extra.slider;
    Object.assign(alpha, { min, max, step });
    alpha.title = t(this.declared.options.alpha.help);
    alpha.addEventListener("input", () => this.set("alpha", Number(alpha.value)));
  }

  race() {
    const methods = Object.entries(this.declared.methods);
    this.boxes = methods.map(([name]) => element("input", { type: "checkbox", value: name }));
    const labels = methods.map(([, { title, summary }], i) => element("label", { class: "check", title: t(summary) }, [this.boxes[i], t(title)]));
    for (const box of this.boxes) {
      box.addEventListener("change", () => {
        const chosen = this.boxes.filter(({ checked }) => checked).map(({ value }) => value);
        // A race without a contender is none.
        if (chosen.length) this.set("race", chosen);
        else box.checked = true;
      });
    }
    return element("fieldset", {}, [element("legend", {}, t("Contenders")), ...labels]);
  }

  input(key) {
    const { kind } = this.declared.options[key];
    const input = element("input", { id: key, type: "text", inputmode: kind === "numbers" ? "text" : "decimal", autocomplete: "off", "aria-describedby": `${key}-note` });
    input.addEventListener("input", () => this.take(key, input));
    input.addEventListener("change", () => this.take(key, input));
    return input;
  }

  take(key, input) {
    const note = /** @type {HTMLElement} */ (document.getElementById(`${key}-note`));
    try {
      const value = read(key, input.value, this.declared);
      input.setCustomValidity("");
      if (String(value) !== String(this.settings[key])) this.set(key, value);
    } catch (error) {
      input.setCustomValidity(/** @type {Error} */ (error).message);
    }
    input.setAttribute("aria-invalid", String(!input.validity.valid));
    note.classList.toggle("wrong", !input.validity.valid);
    write(note, input.validationMessage || t(this.declared.options[key].help));
  }

  field(key) {
    const { title, help } = this.declared.options[key];
    return field(key, t(title), t(help), [this.inputs[key]]);
  }

  group(key, node) {
    const { title, help } = this.declared.options[key];
    return element("div", { class: "field" }, [element("span", {}, t(title)), node, element("small", {}, t(help))]);
  }
}

function field(key, title, help, parts) {
  return element("div", { class: "field" }, [element("label", { for: key }, title), element("span", { class: "line" }, parts), element("small", { id: `${key}-note` }, help)]);
}

function textOf(value) {
  return Array.isArray(value) ? value.join(", ") : String(value);
}
