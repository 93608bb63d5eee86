/** Runs of one data set in lock step: they differ in their methods, and see the same batches. */
import { Data } from "./data.js";
import { Kernel } from "./kernel.js";
import { Room } from "./network.js";
import { Run } from "./run.js";

const WORDS = { alpha: "α", half_life: "half life" };

/** Trains contenders, and tells of each what the live route would: `tell(place, message)`, where a row is a record still. */
export class Race {
  /**
   * @param {WebAssembly.Module} module kernel.wasm.
   * @param {Record<string, any>[]} specs flat specs; the first one's data, seed and length are those of all.
   * @param {(place: number, message: { type: string } & Record<string, any>) => void} tell
   */
  constructor(module, specs, tell) {
    const [{ sigmas, seed, steps, eval_every: every }] = specs;
    const kernel = new Kernel(module);
    const room = new Room(kernel, sigmas.length);
    this.data = new Data(kernel, sigmas, seed);
    this.runs = specs.map((spec) => new Run(kernel, room, spec));
    this.events = specs.map(() => 0);
    this.going = new Set(specs.keys());
    this.steps = steps;
    this.every = every;
    this.tell = tell;
    this.taken = 0;
    this.evaluate();
  }

  /** Whether all runs have ended. */
  get over() {
    return !this.going.size;
  }

  /** Take one step of each run that goes. */
  step() {
    this.taken += 1;
    const batch = this.data.batch(this.taken);
    for (const place of this.going) {
      const record = this.runs[place].step(batch);
      if (this.sound(place, record.losses)) this.tell(place, { type: "record", record });
    }
    const done = this.taken >= this.steps;
    if (done || this.taken % this.every === 0) this.evaluate();
    if (done) for (const place of this.going) this.end(place, "finished", `Finished all ${this.taken.toLocaleString("en")} steps.`);
  }

  /** Change options of all methods that have them, such as alpha, from the next step on. */
  retune(changes) {
    for (const place of this.going) {
      const { options } = this.runs[place].method;
      for (const [key, value] of Object.entries(changes)) {
        if (!(key in options) || options[key] === value) continue;
        options[key] = value;
        const event = { step: this.taken + 1, key, value, when: Date.now() / 1000, label: `${WORDS[key] ?? key} ${value}` };
        this.tell(place, { type: "events", known: this.events[place], rows: [event] });
        this.events[place] += 1;
      }
    }
  }

  evaluate() {
    for (const place of this.going) {
      const evaluation = this.runs[place].evaluate(this.data.test);
      this.tell(place, { type: "evaluations", rows: [evaluation] });
      this.sound(place, evaluation.losses);
    }
  }

  /** Whether all losses of a run are finite; ends it where one is not. */
  sound(place, losses) {
    const task = losses.findIndex((loss) => !Number.isFinite(loss));
    if (task < 0) return true;
    const at = this.taken.toLocaleString("en");
    this.end(place, "diverged", `The loss of 'task ${task + 1}' became ${losses[task]} at step ${at}. Try a learning rate ten times lower.`);
    return false;
  }

  end(place, state, message) {
    this.going.delete(place);
    this.tell(place, { type: "status", state, step: this.taken, message });
  }
}
