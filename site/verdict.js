/** Who won a race, in a few sentences made from its evaluations. */

import { count, significant } from "../assets/live/format.js";

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
  const after = `After ${count(best.last.step)} steps`;
  const tasks = best.last.loss_ratios.length;
  const won = second
    ? `Winner: ${best.title}. ${after} Σ Lᵢ/Lᵢ(0) is ${left} on the test set, with ${second.title} ${significant(second.last.task_normalized_loss, 3)}.`
    : `${best.title}: ${after.toLowerCase()} Σ Lᵢ/Lᵢ(0) is ${left} on the test set, where ${tasks} were at the start.`;
  const parts = [won, ...(second && tasks > 1 ? gains(best.last.loss_ratios, second.last.loss_ratios) : []), rise(results)];
  return parts.filter(Boolean).join(" ");
}

function gains(mine, theirs) {
  const by = mine.map((ratio, i) => theirs[i] - ratio);
  const most = by.indexOf(Math.max(...by));
  const least = by.indexOf(Math.min(...by));
  const gain = `Task ${most + 1} gains most (${significant(mine[most], 3)} of its first loss is left, not ${significant(theirs[most], 3)}).`;
  return [gain, by[least] < 0 ? `Task ${least + 1} pays for it (${significant(mine[least], 3)}, not ${significant(theirs[least], 3)}).` : "No task pays for it."];
}

/** What rose most on the way: a task that was drowned out. */
function rise(results) {
  const peaks = results.flatMap(({ title, evaluations }) => evaluations.flatMap(({ step, loss_ratios: ratios }) => ratios.map((ratio, i) => ({ title, step, ratio, i }))));
  const top = peaks.reduce((most, peak) => (peak.ratio > most.ratio ? peak : most), { ratio: RISEN, title: "", step: 0, i: 0 });
  return top.title && `On the way task ${top.i + 1} rose to ${significant(top.ratio, 3)} times its first loss with ${top.title}, at step ${count(top.step)}.`;
}
