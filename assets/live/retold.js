/** What is kept with a run as an English sentence, in the reader's language: how it ended, and where it trained. */
import { later, local, t } from "./words.js";

// As the engine and the recorder write them; more than one may follow each other.
const SENTENCES = [
  later("Finished all {steps} steps, which are {epochs} epochs."),
  later("Finished all {steps} steps."),
  later("Finished after {taken} of {steps} steps, which are {epochs} epochs, without a better validation loss."),
  later("Finished after {taken} of {steps} steps, without a better validation loss."),
  later("The network is the best one, of step {step}."),
  later("Finished after {steps} steps."),
  later("Stopped after {steps} steps."),
  later("Stopped by hand after {steps} steps."),
  later("Stopped from a page after {steps} steps."),
  later("The server was shut down at step {step}."),
  later("Its process ended at step {step}."),
  later("All records are kept."),
  later("Taken out of the queue before it started."),
  later("Ended without an outcome."),
  later("The loss of {task} became {value} at step {step}."),
  later("Try a learning rate ten times lower, or standardised targets."),
  later("Try a learning rate ten times lower."),
  later("{device}, {count} runs as one program"),
  later("{device}, {count} processes"),
];

const PATTERNS = SENTENCES.map((sentence) => {
  const literal = sentence.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return { sentence, pattern: new RegExp(`^${literal.replace(/\{(\w+)\}/g, "(?<$1>.+?)")}(?= |$)`) };
});

/** A text in the reader's language as far as its sentences are known; the rest as it is, if the table has no such text. */
export function retold(text) {
  for (const { sentence, pattern } of PATTERNS) {
    const found = pattern.exec(text);
    if (!found) continue;
    const values = Object.entries(found.groups ?? {}).map(([name, value]) => [name, /^[\d,.e+-]+$/.test(value) ? local(value) : value]);
    const rest = text.slice(found[0].length).trimStart();
    return `${t(sentence, Object.fromEntries(values))}${rest && ` ${retold(rest)}`}`;
  }
  return text.includes("{") ? text : t(text);
}
