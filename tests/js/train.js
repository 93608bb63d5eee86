/** Trains each of the flat specs that stdin gives as a JSON list, and writes what came of them to stdout. */
import { text } from "node:stream/consumers";

import { raced } from "./raced.js";

// JSON has no NaN: it becomes null.
process.stdout.write(JSON.stringify(JSON.parse(await text(process.stdin)).flatMap((spec) => raced([spec]))));
