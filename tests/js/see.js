/** Trains one of the site's things to see, by its place; stdin is the site's declared.json. Writes a result a contender. */
import { text } from "node:stream/consumers";

import { defaults, specsOf } from "../../site/settings.js";
import { TRIES } from "../../site/tries.js";
import { raced } from "./raced.js";

const declared = JSON.parse(await text(process.stdin));
const settings = { ...defaults(declared), ...TRIES[Number(process.argv[2])].settings };
process.stdout.write(JSON.stringify(Object.fromEntries(raced(specsOf(settings, declared)).map((result, i) => [settings.race[i], result]))));
