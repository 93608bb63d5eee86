/** What a visitor has chosen: read from the address and from fields, written as an address and as specs. */
import { t } from "../assets/live/words.js";

/** Where the dashboard runs unless the visitor says otherwise, and the key of what the visitor said. */
export const LAB = "http://localhost:8501";
export const LAB_KEY = "gradnorm.lab";

const LIST = ["sigmas"];
const SIGMA = [1e-6, 1e6];

/** @typedef {Record<string, any> & { race: string[], sigmas: number[] }} Settings by the keys of a spec, and the race's methods. */

/** Take what an address asks for into settings; returns a sentence for each part of it that could not be read. */
export function fromQuery(query, declared, settings) {
  const faults = [];
  const tasks = Number(query.get("tasks"));
  if (tasks >= 1 && tasks <= declared.sigmas.length) settings.sigmas = withTasks([], tasks, declared);
  for (const key of [...Object.keys(declared.options), "race"]) {
    if (!query.has(key)) continue;
    try {
      settings[key] = key === "race" ? raceOf(query.get(key), declared) : read(key, query.get(key), declared);
    } catch (error) {
      faults.push(/** @type {Error} */ (error).message);
    }
  }
  return faults;
}

/** @returns {Settings} */
export function defaults(declared) {
  const keys = Object.keys(declared.options);
  const start = Object.fromEntries(keys.map((key) => [key, declared.start[key]]));
  return { ...start, sigmas: declared.start.sigmas, race: ["gradnorm", "equal"] };
}

/** The query of settings: all that differs from those at the start. */
export function toQuery(settings, start) {
  const changed = Object.keys(start).filter((key) => String(settings[key]) !== String(start[key]));
  return changed.map((key) => `${key}=${settings[key]}`).join("&");
}

/** The dashboard's page with a query. base: where the visitor says that it runs; where it usually does if that is empty. */
export function atLab(base, query) {
  return `${(base?.trim() || LAB).replace(/\/+$/, "")}/?${query}`;
}

/** The same race in the dashboard at `base`: the address that `RunSpec.query` would write, and the race's. */
export function labAddress(base, settings, declared) {
  const method = settings.race[0];
  const own = Object.keys(declared.options).filter((key) => key in declared.methods[method].spec);
  const query = [`dataset=toy`, `method=${method}`, `tasks=${settings.sigmas.length}`, ...own.map((key) => `${key}=${settings[key]}`), `race=${settings.race}`];
  return atLab(base, query.join("&"));
}

/** Flat specs of the contenders, as `RunSpec.flat` writes them. */
export function specsOf(settings, declared) {
  return settings.race.map((method) => {
    const { spec } = declared.methods[method];
    const own = Object.keys(declared.options).filter((key) => key in spec);
    return { ...spec, tasks: settings.sigmas.length, ...Object.fromEntries(own.map((key) => [key, settings[key]])) };
  });
}

/** σ for another number of tasks: those that there are, then the declared ones. */
export function withTasks(sigmas, tasks, declared) {
  return [...sigmas, ...declared.sigmas.slice(sigmas.length)].slice(0, tasks);
}

/** A value of an option from its text. Throws an Error that says what it should be. */
export function read(key, text, declared) {
  const { title, kind, low, high, choices } = declared.options[key];
  if (LIST.includes(key)) return sigmasOf(title, text, declared.sigmas.length);
  if (kind === "choice") {
    if (!choices.includes(text)) throw new Error(t("{title} should be {choices}. Found “{text}”.", { title: t(title), choices: choices.join(t(" or ")), text }));
    return text;
  }
  const value = text.trim() ? Number(text) : NaN;
  const whole = kind === "integer" ? t("a whole number") : t("a number");
  const fits = value >= low && value <= high && (kind !== "integer" || Number.isInteger(value)) && (value > 0 || !positive(key));
  const asked = { title: t(title), whole, low, high, text };
  if (!fits && positive(key) && !low) throw new Error(t("{title} should be {whole} above 0 and up to {high}. Found “{text}”.", asked));
  if (!fits) throw new Error(t("{title} should be {whole} from {low} to {high}. Found “{text}”.", asked));
  return value;
}

function positive(key) {
  return key === "learning_rate" || key === "half_life";
}

function sigmasOf(title, text, most) {
  const values = text.split(/[,;\s]+/).filter(Boolean).map(Number);
  const fits = values.length >= 1 && values.length <= most && values.every((value) => value >= SIGMA[0] && value <= SIGMA[1]);
  const asked = { title: t(title), most, low: SIGMA[0], high: SIGMA[1], text };
  if (!fits) throw new Error(t("{title} should be 1 to {most} numbers from {low} to {high}, with commas between. Found “{text}”.", asked));
  return values;
}

function raceOf(text, declared) {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const wrong = names.filter((name) => !(name in declared.methods));
  const known = Object.keys(declared.methods).join(", ");
  if (wrong.length) throw new Error(t("Contenders should be of {known}. Found “{text}”.", { known, text: wrong[0] }));
  return names;
}
