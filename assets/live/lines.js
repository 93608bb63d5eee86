/** The lines of a chart: those of one run, or of several laid over each other. Colour is the task, dash the run. */

// How much ink the lines of other runs keep; where tasks are many, less.
const BEHIND = 0.5;
const FAR_BEHIND = 0.26;
const MANY_TASKS = 3;
const FADED = 0.14;
const TONE = 0.62;

/** What a chart draws: the view's lines of every run, those of the run in front last and so on top. */
export function linesOf(panel, view, sparse) {
  const { lead, shared, run } = panel;
  if (!run) return [];
  const drawn = panel.members.filter((member) => member !== lead && member.history?.continues(run));
  return [...drawn, lead].flatMap((member) => {
    const at = sparse ? member.history.evaluationLayout : member.history.layout;
    const lines = view.lines(member.run, at).map((line) => ({ ...line, member }));
    return shared ? styled(lines, view, member, member === lead) : lines.map((line) => dashed(line, run));
  });
}

/** How strongly a line is drawn, in 0 … 1, for the run that is pointed at and the one in front. */
export function presence(line, { shared, lead, tasks, choices: { spot } }) {
  if (!shared) return 1;
  if (spot) return line.member === spot ? 1 : FADED;
  // A task's lines are many; those of other runs step back. The one line a run keeps its ink.
  if (line.member === lead || line.task < 0) return 1;
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

function styled(lines, view, member, front) {
  const { key, label, dash } = member;
  const kept = lines.filter(({ kind, task }) => (view.overall ? task < 0 : front || !kind));
  return kept.map((line) => {
    const sole = line.task < 0 && !line.kind;
    const width = sole ? (front ? 2.6 : 1.9) : front ? line.width * 1.2 : line.width;
    const own = line.kind ? line.dash : dash;
    return { ...line, sole, width, dash: own, name: line.label, label: `${key} ${label}, ${line.label}` };
  });
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
