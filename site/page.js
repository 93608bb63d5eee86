/** The playground that needs no server: settings, a race in a worker, and the dashboard's own live panel. */
import { element, write } from "../assets/live/dom.js";
import { FINAL } from "../assets/live/header.js";
import { keep, recall } from "../assets/live/kept.js";
import { mount } from "../assets/live/panel.js";
import { Trainer } from "../assets/toy/client.js";
import { Controls } from "./controls.js";
import { defaults, fromQuery, LAB, LAB_KEY, labAddress, specsOf, toQuery } from "./settings.js";
import { Tries, TRIES } from "./tries.js";
import { verdict } from "./verdict.js";
import { t } from "../assets/live/words.js";
import { begin } from "./page_words.js";

const LIVE = ["alpha", "half_life"];
const node = (id) => /** @type {any} */ (document.getElementById(id));

class Page {
  constructor(declared) {
    const query = new URLSearchParams(location.search);
    this.declared = declared;
    this.place = Number(query.get("try") ?? 0) - 1;
    this.settings = defaults(declared);
    Object.assign(this.settings, TRIES[this.place]?.settings);
    const seen = this.fixed();
    const faults = fromQuery(query, declared, this.settings);
    // What is to be seen holds for its own settings, but for those that are to be moved.
    if (seen !== this.fixed()) this.place = -1;
    /** @type {Trainer | null} */
    this.trainer = null;
    const slider = element("input", { id: "alpha", type: "range" });
    document.querySelector(".alpha").append(slider, element("output", { for: "alpha" }));
    this.tries = new Tries(node("tries"), node("watch"), (place) => this.see(place));
    this.controls = new Controls(node("controls"), slider, this.settings, declared, (key) => this.changed(key));
    node("controls").append(this.lab());
    node("start").addEventListener("click", () => {
      this.fault = "";
      this.start();
    });
    node("pause").addEventListener("click", () => (this.trainer.state === "running" ? this.trainer.pause() : this.trainer.go()));
    node("step").addEventListener("click", () => this.trainer.step());
    // What is wrong with the address stays until the visitor starts something else.
    this.fault = faults.length ? `${t("The address could not be read in full.")} ${faults.join(" ")}` : "";
    this.start();
  }

  /** Begin a race with the present settings. */
  start() {
    const { settings, declared } = this;
    this.trainer?.close();
    const titles = settings.race.map((method) => t(declared.methods[method].title));
    this.trainer = new Trainer(specsOf(settings, declared), titles, declared.palette, () => this.follow());
    const runs = titles.map((label, place) => ({ run: `${place}`, label }));
    // The panel forgets the last race, whose runs had the same names.
    mount({ parentElement: node("panel"), data: { run: null, base: null } });
    mount({ parentElement: node("panel"), data: { run: "0", base: null, runs, connect: this.trainer.connect } });
    this.begun = this.fixed();
    this.tries.show(this.place);
    this.follow();
  }

  /** Show one of the things to see. */
  see(place) {
    Object.assign(this.settings, defaults(this.declared), TRIES[place].settings);
    this.place = place;
    this.fault = "";
    this.controls.show();
    this.address();
    this.start();
  }

  /** A setting was changed: some act on the race, others on the next one. */
  changed(key) {
    if (LIVE.includes(key)) this.trainer.retune({ [key]: this.settings[key] });
    else this.place = -1;
    this.address();
    this.follow();
  }

  /** Write the settings into the address and into the link to the lab. */
  address() {
    const start = { ...defaults(this.declared), ...TRIES[this.place]?.settings };
    const lang = new URLSearchParams(location.search).get("lang");
    const query = [lang && `lang=${lang}`, this.place < 0 ? "" : `try=${this.place + 1}`, toQuery(this.settings, start)].filter(Boolean).join("&");
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    this.link.href = this.labAddress();
  }

  /** Write what the buttons do, and how the race ended. */
  follow() {
    const { state } = this.trainer;
    const over = FINAL.has(state);
    write(node("start"), this.begun === this.fixed() ? t("Start anew") : t("Start with these settings"));
    write(node("pause"), state === "paused" ? t("Go on") : t("Pause"));
    node("pause").disabled = over || state === "queued";
    node("step").disabled = state !== "paused";
    write(node("verdict"), [this.fault, over ? verdict(this.trainer.results) : ""].filter(Boolean).join(" "));
    document.body.dataset.state = state;
  }

  /** The settings that a race keeps from its start to its end, as a text. */
  fixed() {
    return JSON.stringify({ ...this.settings, ...Object.fromEntries(LIVE.map((key) => [key, null])) });
  }

  /** The link to the dashboard, and where that is. */
  lab() {
    this.base = element("input", { id: "lab", type: "url", value: recall(LAB_KEY) ?? LAB, autocomplete: "off" });
    this.link = element("a", { class: "lab", target: "_blank", rel: "noopener", href: this.labAddress() }, t("Open this in the lab"));
    this.base.addEventListener("input", () => {
      keep(LAB_KEY, this.base.value);
      this.link.href = this.labAddress();
    });
    const help = element("small", {}, t("Where your dashboard runs (make run). It trains the same race, keeps it, and has more methods and data."));
    return element("div", { class: "field" }, [this.link, element("label", { for: "lab" }, t("Address of the lab")), this.base, help]);
  }

  labAddress() {
    return labAddress(this.base.value, this.settings, this.declared);
  }
}

new Page(await begin());
