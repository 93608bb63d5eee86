/** The words of a page in its reader's language. English is in the code; other languages are tables, see `tools/words.py`. */

const ENGLISH = "en";
const NUMBER = 12345.6;

let spoken = ENGLISH;
/** @type {Record<string, string>} */
let table = {};
let marks = { group: ",", decimal: "." };
let turn = Promise.resolve();

/** Speak a language from now on, as "de". Without its table, the page stays English. Calls take effect in their order. */
export function speak(code = spoken) {
  turn = turn.then(() => change(code));
  return turn;
}

async function change(code) {
  if (code === spoken) return;
  try {
    table = code === ENGLISH ? {} : await tableOf(code);
  } catch {
    return; // the server is away; who asks again later gets the table
  }
  spoken = code;
  const parts = new Intl.NumberFormat(code).formatToParts(NUMBER);
  marks = /** @type {any} */ (Object.fromEntries(parts.map(({ type, value }) => [type, value])));
}

async function tableOf(code) {
  const answer = await fetch(new URL(`../words/${code}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`There is no table of ${code}.`);
  return answer.json();
}

/** The language that is spoken. */
export function language() {
  return spoken;
}

/**
 * An English text in the reader's language.
 * @param {string} text with `{name}` for each of the values
 * @param {Record<string, any>} values texts, or numbers as `format.js` writes them
 */
export function t(text, values = {}) {
  return (table[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * What the server tells of a run, in the reader's language; see `told` of `gradnorm/ui/live/wire.py`.
 * @param {any} told a text as it is; a list of one number; or `template` and `values` of a text to translate
 * @returns {string}
 */
export function said(told) {
  if (Array.isArray(told)) return local(told[0]);
  if (typeof told === "string") return told;
  const { template, values } = told;
  return (table[template] ?? template).replace(/\{(\w+)(?::[^}]*)?\}/g, (whole, name) => (name in values ? said(values[name]) : whole));
}

/** An English text as it is. It is marked as one that is translated where it is shown. */
export function later(text) {
  return text;
}

/** A number that was written with the marks of English, with those of the reader's language. */
export function local(number) {
  return spoken === ENGLISH ? number : number.replace(/[,.]/g, (mark) => (mark === "," ? (marks.group ?? "") : marks.decimal));
}

/** Texts with numbers in them as a list, whose separator is none that the numbers have in them. */
export function enumerated(texts) {
  return texts.join(marks.decimal === "," ? "; " : ", ");
}
