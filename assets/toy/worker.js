/** The worker that trains a race: told what to do by messages of client.js, it tells what the live route would. */
import { Race } from "./race.js";
import { columns, row } from "./run.js";
import { later } from "../live/words.js";

const SLICE = 40;
const STATUS_EVERY = 250;

/** @type {Race | null} */
let race = null;
let state = "paused";
/** Rows of each contender that have not been sent. @type {number[][]} */
let waiting = [];
let told = { at: 0, step: 0 };
// A timer would wait for some milliseconds between two slices.
const { port1: due, port2: ask } = new MessageChannel();
let asked = false;
due.onmessage = () => {
  asked = false;
  turn();
};

const orders = {
  async start({ specs }) {
    const answer = await fetch(new URL("./kernel.wasm", import.meta.url));
    const module = await WebAssembly.compile(await answer.arrayBuffer());
    waiting = specs.map(() => []);
    race = new Race(module, specs, keep);
    orders.go();
  },
  go() {
    if (state === "running" || race.over) return;
    told = { at: performance.now(), step: race.taken };
    follow("running");
    again();
  },
  pause() {
    if (state === "running") follow("paused");
  },
  step() {
    if (state === "running" || race.over) return;
    race.step();
    send();
    if (!race.over) follow("paused");
  },
  retune({ changes }) {
    race.retune(changes);
  },
};

// One after another: the first takes a while, since it loads the kernel.
let obeyed = Promise.resolve();
self.onmessage = ({ data }) => {
  obeyed = obeyed.then(() => orders[data.type](data));
};
// A page hears of its worker's errors, but not of rejections.
self.onunhandledrejection = ({ reason }) => {
  throw reason;
};

/** Train for a moment, and come back once messages have been read. */
function turn() {
  if (state !== "running") return;
  const until = performance.now() + SLICE;
  do race.step();
  while (!race.over && performance.now() < until);
  send();
  if (performance.now() - told.at > STATUS_EVERY && !race.over) follow("running");
  if (race.over) state = "over";
  else again();
}

/** Have another turn soon, but not two. */
function again() {
  if (!asked) ask.postMessage(null);
  asked = true;
}

function keep(place, message) {
  if (message.type === "record") waiting[place].push(...row(message.record));
  else {
    // What comes after rows must not overtake them.
    send();
    post(place, message);
  }
}

function send() {
  waiting.forEach((numbers, place) => {
    if (!numbers.length) return;
    const values = Float32Array.from(numbers);
    const width = columns(race.runs[place].tasks).length;
    waiting[place] = [];
    self.postMessage({ place, rows: { detail: false, count: values.length / width, width, stride: 1, values } }, { transfer: [values.buffer] });
  });
}

/** Tell where the runs that go stand. */
function follow(now) {
  state = now;
  const { taken: step, steps } = race;
  const seconds = (performance.now() - told.at) / 1000;
  const speed = now === "running" && step > told.step ? (step - told.step) / seconds : null;
  told = { at: performance.now(), step };
  for (const place of race.going) {
    post(place, { type: "status", state, step, message: null, steps_per_second: speed, seconds_left: speed && (steps - step) / speed });
  }
}

function post(place, message) {
  self.postMessage({ place, message: message.type === "status" ? { steps: race.steps, device: later("this browser"), place: null, ...message } : message });
}
