/** The view in the page's address: a reload, a copied link and Back show the charts as they were. */
import { LIGHT } from "./smoothing.js";
import { MORE_VIEWS, VIEWS } from "./views.js";

const PREFIX = "view.";
const NAMES = Object.keys(VIEWS);
const MOST_SMOOTHING = 0.99;
/** What colour may tell apart. */
const COLOURS = ["task", "contender"];

/**
 * What an address says of the view; what it says wrongly counts as not said. One that says something of the view but
 * nothing of smoothing means lines as measured: that is how they were drawn when such addresses were written.
 * @param {string} search the address's query
 */
export function readView(search) {
  const query = new URLSearchParams(search);
  const list = (key) => (query.get(PREFIX + key) ?? "").split(",").filter(Boolean);
  const smoothing = Number(query.get(`${PREFIX}smooth`) ?? NaN);
  const former = !query.has(`${PREFIX}smooth`) && [...query.keys()].some((key) => key.startsWith(PREFIX));
  const more = query.get(`${PREFIX}chart`) ?? "";
  const tasks = (key) => list(key).map(Number).filter((number) => number >= 1 && Number.isInteger(number)).map((number) => number - 1);
  const color = query.get(`${PREFIX}colour`) ?? "";
  return {
    run: query.get("run"),
    front: query.get(`${PREFIX}front`),
    zoom: zoomOf(query.get(`${PREFIX}zoom`)),
    smoothing: smoothing >= 0 && smoothing <= MOST_SMOOTHING ? smoothing : former ? 0 : LIGHT,
    hidden: new Set(tasks("hidden")),
    forward: new Set(tasks("forward")),
    task: tasks("task")[0] ?? 0,
    colour: COLOURS.includes(color) ? color : "",
    each: query.get(`${PREFIX}seeds`) === "each",
    log: Object.fromEntries([...scales(list("linear"), false), ...scales(list("log"), true)]),
    more: MORE_VIEWS.includes(more) ? more : MORE_VIEWS[0],
    sort: sortOf(query.get(`${PREFIX}sort`) ?? ""),
  };
}

/**
 * The query with a view in it, in place of the one that it had.
 * @param {string} search the address's query
 * @param {ReturnType<typeof readView>} view
 */
export function withView(search, view) {
  const query = new URLSearchParams(search);
  for (const key of [...query.keys()]) if (key.startsWith(PREFIX)) query.delete(key);
  const scaled = (log) => NAMES.filter((name) => view.log[name] === log).join();
  const said = {
    front: view.front,
    zoom: view.zoom && `${rounded(view.zoom.min)}-${rounded(view.zoom.max)}`,
    smooth: String(view.smoothing),
    hidden: numbers(view.hidden),
    forward: numbers(view.forward),
    task: view.task ? String(view.task + 1) : "",
    colour: view.colour,
    seeds: view.each ? "each" : "",
    linear: scaled(false),
    log: scaled(true),
    chart: view.more === MORE_VIEWS[0] ? "" : view.more,
    sort: view.sort.by && `${view.sort.down ? "-" : ""}${view.sort.by}`,
  };
  const usual = view.smoothing === LIGHT && Object.entries(said).every(([key, value]) => key === "smooth" || !value);
  for (const [key, value] of Object.entries(said)) if (value && !usual) query.set(PREFIX + key, value);
  return `?${query}`;
}

function numbers(tasks) {
  return [...tasks].sort((a, b) => a - b).map((task) => task + 1).join();
}

function zoomOf(text) {
  const [, min, max] = /^([\d.]+)-([\d.]+)$/.exec(text ?? "") ?? [];
  return Number(min) < Number(max) ? { min: Number(min), max: Number(max) } : null;
}

/** A column of the table, and whether it is sorted downwards by it: that is a minus before it. No column: the race's order. */
function sortOf(text) {
  const [, minus, by] = /^(-?)(\w+(?:\.[1-9]\d*)?)$/.exec(text) ?? [];
  return { by: by ?? null, down: minus === "-" };
}

function rounded(step) {
  return Number(Math.max(0, step).toFixed(2));
}

function scales(names, log) {
  return names.filter((name) => NAMES.includes(name)).map((name) => [name, log]);
}
