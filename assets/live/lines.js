/** The lines of a chart: those of one run, or of several laid over each other. */
import { t } from "./words.js";

// How much ink the lines of other runs keep; where tasks are many, less.
const BEHIND = 0.5;
const FAR_BEHIND = 0.26;
const MANY_TASKS = 3;
const FADED = 0.14;
const TONE = 0.62;

/**
 * What a chart draws: the view's lines of every entrant, those of the one in front last and so on top. Colour is the task
 * and dash the entrant; by the reader's choice, and where an entrant has one line, colour is the entrant.
 */
export function linesOf(panel, view, sparse) {
  const { entrant, entrants, run, shared } = panel;
  if (!run) return [];
  const behind = entrants.filter((other) => other !== entrant && other.history?.continues(run));
  const drawn = new Set(panel.crowd.drawn);
  return [...behind, entrant].flatMap((member) => {
    const at = sparse ? member.history.evaluationLayout : member.history.layout;
    const all = view.lines(member.run, at);
    const lines = all.map((line) => ({ ...line, member }));
    if (!shared) return lines.filter(({ task }) => task < 0 || drawn.has(task)).map((line) => dashed(line, run));
    const front = member === entrant;
    if (view.overall || all.every(({ task }) => task < 0)) return lines.filter(({ task }) => task < 0).map((line) => sole(line, front));
    if (panel.choices.byContender) return lines.filter((line) => line.task === panel.choices.task && (front || !line.kind)).map((line) => sole(line, front));
    return lines.filter(({ kind, task }) => (front || !kind) && (task < 0 || drawn.has(task))).map((line) => styled(line, front));
  });
}

/**
 * The bands behind a chart's lines: from the least to the greatest of a mean's seeds, and of the tasks that are not drawn.
 * Each has the `rows` of its steps, `low` and `high`; and the `line` that it goes with, null for the tasks.
 */
export function bandsOf(panel, view, sparse, lines) {
  const bands = lines
    .filter(({ kind, member }) => !kind && member.members)
    .map((line) => ({ line, of: () => edges(line.member.rows(sparse), line.column) }));
  const { lead, crowd, choices } = panel;
  if (!crowd.folds || (panel.shared && (view.overall || choices.byContender))) return bands;
  const at = sparse ? lead.history.evaluationLayout : lead.history.layout;
  const first = view.lines(lead.run, at).find(({ task, kind }) => task === 0 && !kind)?.column;
  if (first === undefined) return bands;
  let spread = null;
  const of = () => {
    const rows = lead.rows(sparse);
    if (spread?.rows !== rows) spread = crowd.band(rows, first);
    return { rows, low: spread.low(), high: spread.high() };
  };
  return [{ line: null, of }, ...bands];
}

function edges(rows, column) {
  return { rows, low: rows.low(column), high: rows.high(column) };
}

/** What is to be said of a chart beside its gloss: what lines and bands stand for. */
export function remarks(panel, view) {
  const { run, crowd, shared, entrants, choices } = panel;
  if (!run) return [];
  const said = [];
  const byTask = !shared || !(view.overall || choices.byContender);
  if (shared && !view.overall && choices.byContender && view.lines(run, panel.lead.history.layout).some(({ task }) => task >= 0)) said.push(t("of {task} alone", { task: run.tasks[choices.task].name }));
  if (entrants.some(({ members }) => members)) said.push(t("means over seeds, with bands from least to greatest"));
  if (byTask && crowd.folds) said.push(crowd.remark);
  return said;
}

/** How strongly a line is drawn, in 0 … 1, for the entrant that is pointed at and the one in front. */
export function presence(line, { shared, entrant, tasks, choices: { spot } }) {
  if (!shared) return 1;
  if (spot) return line.member === spot ? 1 : FADED;
  // A task's lines are many; those of other runs step back. The one line a run keeps its ink.
  if (line.member === entrant || line.task < 0) return 1;
  return tasks.length > MANY_TASKS ? FAR_BEHIND : BEHIND;
}

/** The tasks as they look: where dashes tell runs apart, tasks that share a hue differ in tone. */
export function tasksOf(run, shared) {
  if (!shared) return run.tasks;
  const seen = new Map();
  return run.tasks.map((task) => {
    const times = seen.get(task.color.light) ?? 0;
    seen.set(task.color.light, times + 1);
    const tone = (color) => (times ? `color-mix(in srgb, ${color} ${100 * TONE ** times}%, ${times % 2 ? "black" : "white"})` : color);
    return { ...task, dash: [], color: { light: tone(task.color.light), dark: tone(task.color.dark) } };
  });
}

/** The steps of all runs as far as the cursor needs them: the first one's, and others' before and after it. */
export function grid(all) {
  let steps = new Float32Array(0);
  for (const rows of all) {
    const own = rows.view(0);
    const before = steps.length ? rows.find(steps[0]) : rows.count;
    const after = steps.length ? rows.find(steps.at(-1) + 0.5) : rows.count;
    if (!before && after === rows.count) continue;
    steps = steps.length || after < rows.count ? concat(own.subarray(0, before), steps, own.subarray(after)) : own;
  }
  return steps;
}

/** The index of the row nearest to a step, or −1 before a run's first row and after its last. */
export function rowAt(rows, step) {
  if (!rows.count) return -1;
  const steps = rows.view(0);
  const slack = rows.stride;
  if (step < steps[0] - slack || step > rows.last() + slack) return -1;
  const right = Math.min(rows.find(step), rows.count - 1);
  return right > 0 && step - steps[right - 1] < steps[right] - step ? right - 1 : right;
}

function dashed(line, run) {
  return { ...line, dash: line.dash ?? (line.task >= 0 ? run.tasks[line.task].dash : undefined) };
}

/** A line among those of several entrants, in its task's colour. */
function styled(line, front) {
  const { key, label, dash } = line.member;
  const width = front ? line.width * 1.2 : line.width;
  return { ...line, width, dash: line.kind ? line.dash : dash, name: line.label, label: `${key} ${label}, ${line.label}` };
}

/** The one line that an entrant has in a chart, in its own colour; or beside it the targets. */
function sole(line, front) {
  const { key, label, dash, color } = line.member;
  const one = !line.kind;
  const width = one ? (front ? 2.6 : 1.9) : line.width;
  return { ...line, task: -1, sole: one, width, color, dash: one ? dash : line.dash, name: line.label, label: `${key} ${label}, ${line.label}` };
}

function concat(...parts) {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
