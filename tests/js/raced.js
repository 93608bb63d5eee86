/** A race on the toy for the tests: what came of each of its runs, as plain JSON. */
import { readFile } from "node:fs/promises";

import { Race } from "../../assets/toy/race.js";
import { columns, row } from "../../assets/toy/run.js";

const module = new WebAssembly.Module(await readFile(new URL("../../assets/toy/kernel.wasm", import.meta.url)));

/** Train flat specs to their end; returns the rows and the evaluations of each. */
export function raced(specs) {
  const results = specs.map(({ sigmas }) => ({ columns: columns(sigmas.length), rows: [], evaluations: [] }));
  const race = new Race(module, specs, (place, { type, record, rows }) => {
    if (type === "record") results[place].rows.push(row(record));
    if (type === "evaluations") results[place].evaluations.push(...rows);
  });
  while (!race.over) race.step();
  return results;
}
