/** Who won a race, in a sentence or two made from its last evaluations. */

/**
 * @param {{ title: string, evaluation: any }[]} results one a contender; an evaluation as in a record.
 * @returns {string} empty where there is nothing to say yet.
 */
export function verdict(results) {
  const sound = results.filter(({ evaluation }) => Number.isFinite(evaluation?.task_normalized_loss));
  if (!sound.length) return "";
  const [best, second] = [...sound].sort((a, b) => total(a) - total(b));
  const steps = best.evaluation.step.toLocaleString("en");
  const tasks = best.evaluation.loss_ratios.length;
  if (!second) return `After ${steps} steps ${best.title} has ${short(total(best))} left of the ${tasks} first losses on the test set.`;
  const first = `${best.title} wins: after ${steps} steps Σ Lᵢ/Lᵢ(0) is ${short(total(best))} on the test set, with ${second.title} ${short(total(second))}.`;
  return tasks > 1 ? `${first} ${gains(best.evaluation.loss_ratios, second.evaluation.loss_ratios)}` : first;
}

function gains(mine, theirs) {
  const by = mine.map((ratio, i) => theirs[i] - ratio);
  const most = by.indexOf(Math.max(...by));
  const gain = `Task ${most + 1} gains most (${short(mine[most])} of its first loss is left, not ${short(theirs[most])}).`;
  const worst = by.indexOf(Math.min(...by));
  if (by[worst] >= 0) return `${gain} No task pays for it.`;
  return `${gain} Task ${worst + 1} pays for it (${short(mine[worst])}, not ${short(theirs[worst])}).`;
}

function total({ evaluation }) {
  return evaluation.task_normalized_loss;
}

function short(value) {
  return value.toPrecision(3);
}
