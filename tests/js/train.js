/** Trains each of the flat specs that stdin gives as a JSON list, and writes its rows and evaluations to stdout. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { Race } from "../../assets/toy/race.js";
import { columns, row } from "../../assets/toy/run.js";

const module = new WebAssembly.Module(await readFile(new URL("../../assets/toy/kernel.wasm", import.meta.url)));
const results = JSON.parse(await text(process.stdin)).map((spec) => {
  const result = { columns: columns(spec.sigmas.length), rows: [], evaluations: [] };
  const race = new Race(module, [spec], (_, message) => {
    if (message.type === "record") result.rows.push(row(message.record));
    if (message.type === "evaluations") result.evaluations.push(...message.rows);
  });
  while (!race.over) race.step();
  return result;
});
// JSON has no NaN: it becomes null.
process.stdout.write(JSON.stringify(results));
