/** The playground that needs no server: settings, a race in a worker, and the dashboard's own live panel. */
import { element, write } from "../assets/live/dom.js";
import { mount } from "../assets/live/panel.js";
import { FINAL } from "../assets/live/header.js";
import { Trainer } from "../assets/toy/client.js";
import { Controls } from "./controls.js";
import { fromQuery, labAddress, specsOf, toQuery } from "./settings.js";
import { verdict } from "./verdict.js";

const LIVE = ["alpha", "half_life"];
const LAB = "http://localhost:8501";
const LAB_KEY = "gradnorm.lab";
const node = (id) => /** @type {any} */ (document.getElementById(id));

class Page {
  constructor(declared) {
    const { settings, faults } = fromQuery(new URLSearchParams(location.search), declared);
    this.declared = declared;
    this.settings = settings;
    /** @type {Trainer | null} */
    this.trainer = null;
    const slider = element("input", { id: "alpha", type: "range" });
    document.querySelector(".alpha").append(slider, element("output", { for: "alpha" }));
    this.controls = new Controls(node("controls"), slider, settings, declared, (key) => this.changed(key));
    node("controls").append(this.lab());
    node("start").addEventListener("click", () => this.start());
    node("pause").addEventListener("click", () => (this.trainer.state === "running" ? this.trainer.pause() : this.trainer.go()));
    node("step").addEventListener("click", () => this.trainer.step());
    this.start();
    if (faults.length) write(node("verdict"), `The address could not be read in full. ${faults.join(" ")}`);
  }

  /** Begin a race with the present settings. */
  start() {
    const { settings, declared } = this;
    this.trainer?.close();
    const titles = settings.race.map((method) => declared.methods[method].title);
    this.trainer = new Trainer(specsOf(settings, declared), titles, declared.palette, () => this.follow());
    const runs = titles.map((label, place) => ({ run: `${place}`, label }));
    // The panel forgets the last race, whose runs had the same names.
    mount({ parentElement: node("panel"), data: { run: null, base: null } });
    mount({ parentElement: node("panel"), data: { run: "0", base: null, runs, connect: this.trainer.connect } });
    this.begun = toQuery({ ...settings, alpha: 0, half_life: 0 }, declared);
    this.follow();
  }

  /** A setting was changed: some act on the race, others on the next one. */
  changed(key) {
    const query = toQuery(this.settings, this.declared);
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    this.link.href = this.labAddress();
    if (LIVE.includes(key)) this.trainer.retune({ [key]: this.settings[key] });
    this.follow();
  }

  /** Write what the buttons do, and how the race ended. */
  follow() {
    const { state } = this.trainer;
    const over = FINAL.has(state);
    const other = this.begun !== toQuery({ ...this.settings, alpha: 0, half_life: 0 }, this.declared);
    write(node("start"), other ? "Start with these settings" : "Start anew");
    write(node("pause"), state === "paused" ? "Go on" : "Pause");
    node("pause").disabled = over || state === "queued";
    node("step").disabled = state !== "paused";
    write(node("verdict"), over ? verdict(this.trainer.results) : "");
    document.body.dataset.state = state;
  }

  /** The link to the dashboard, and where that is. */
  lab() {
    this.base = element("input", { id: "lab", type: "url", value: stored() ?? LAB, autocomplete: "off" });
    this.link = element("a", { class: "lab", target: "_blank", rel: "noopener", href: this.labAddress() }, "Open this in the lab");
    this.base.addEventListener("input", () => {
      store(this.base.value);
      this.link.href = this.labAddress();
    });
    const help = element("small", {}, "Where your dashboard runs (make run). It trains the same race, keeps it, and has more methods and data.");
    return element("div", { class: "field" }, [this.link, element("label", { for: "lab" }, "Address of the lab"), this.base, help]);
  }

  labAddress() {
    return labAddress(this.base.value.trim() || LAB, this.settings, this.declared);
  }
}

/** A browser may forbid a page to keep anything. */
function stored() {
  try {
    return localStorage.getItem(LAB_KEY);
  } catch {
    return null;
  }
}

function store(address) {
  try {
    localStorage.setItem(LAB_KEY, address);
  } catch {
    // The address is then typed again.
  }
}

const answer = await fetch(new URL("./declared.json", import.meta.url));
new Page(await answer.json());
