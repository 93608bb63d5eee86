/** Who won a race, in a few sentences made from its evaluations. */

import { count, significant } from "../assets/live/format.js";
import { t } from "../assets/live/words.js";

// A loss that rises above this share of its first value is worth a sentence.
const RISEN = 1.5;

/**
 * @param {{ title: string, evaluations: any[] }[]} results one a contender; evaluations as in records, oldest first.
 * @returns {string} empty where there is nothing to say.
 */
export function verdict(results) {
  const ended = results.map(({ title, evaluations }) => ({ title, last: evaluations.at(-1) }));
  // One that broke off is not compared.
  const newest = Math.max(...ended.map(({ last }) => last?.step ?? 0));
  const sound = ended.filter(({ last }) => last?.step === newest && Number.isFinite(last.task_normalized_loss));
  if (!sound.length) return "";
  const [best, second] = sound.sort((a, b) => a.last.task_normalized_loss - b.last.task_normalized_loss);
  const left = significant(best.last.task_normalized_loss, 3);
  const told = { best: best.title, steps: count(best.last.step), left };
  const tasks = best.last.loss_ratios.length;
  const won = second
    ? t("Winner: {best}. After {steps} steps Σ Lᵢ/Lᵢ(0) is {left} on the test set, with {second} {more}.", { ...told, second: second.title, more: significant(second.last.task_normalized_loss, 3) })
    : t("{best}: after {steps} steps Σ Lᵢ/Lᵢ(0) is {left} on the test set, where {tasks} were at the start.", { ...told, tasks });
  const parts = [won, ...(second && tasks > 1 ? gains(best.last.loss_ratios, second.last.loss_ratios) : []), rise(results)];
  return parts.filter(Boolean).join(" ");
}

function gains(mine, theirs) {
  const by = mine.map((ratio, i) => theirs[i] - ratio);
  const most = by.indexOf(Math.max(...by));
  const least = by.indexOf(Math.min(...by));
  const of = (i) => ({ task: i + 1, mine: significant(mine[i], 3), theirs: significant(theirs[i], 3) });
  const gain = t("Task {task} gains most ({mine} of its first loss is left, not {theirs}).", of(most));
  return [gain, by[least] < 0 ? t("Task {task} pays for it ({mine}, not {theirs}).", of(least)) : t("No task pays for it.")];
}

/** What rose most on the way: a task that was drowned out. */
function rise(results) {
  const peaks = results.flatMap(({ title, evaluations }) => evaluations.flatMap(({ step, loss_ratios: ratios }) => ratios.map((ratio, i) => ({ title, step, ratio, i }))));
  const top = peaks.reduce((most, peak) => (peak.ratio > most.ratio ? peak : most), { ratio: RISEN, title: "", step: 0, i: 0 });
  const told = { task: top.i + 1, times: significant(top.ratio, 3), method: top.title, step: count(top.step) };
  return top.title && t("On the way task {task} rose to {times} times its first loss with {method}, at step {step}.", told);
}
