/** The page on which a class watches a run: the dashboard's own panel, fed by its sockets, and nothing that steers. */
import { element, write } from "../live/dom.js";
import { Feed } from "../live/feed.js";
import { FINAL } from "../live/header.js";
import { keep, recall } from "../live/kept.js";
import { mount } from "../live/panel.js";
import { language, later, said, speak, t } from "../live/words.js";

// Milliseconds. Three hundred pages hear of the same thing at once: each waits for a time of its own before it asks.
const SOON = 2000;
const SELDOM = 30_000;
const THEME = "gradnorm.theme";
const DELETED = later("This run was deleted while you watched. What came of it stays here until you close the page.");
const node = (id) => document.getElementById(id);

/** A wait of about so long, another one each time. */
const around = (time) => time * (0.5 + Math.random());

class Watch {
  constructor(run) {
    this.run = run;
    // This page is BASE/watch/RUN.
    this.base = new URL("..", document.baseURI).pathname.replace(/\/$/, "");
    this.over = false;
    /** @type {Map<string, { message: any, timer: number }>} */
    this.checkpoints = new Map();
    this.look();
  }

  /** Ask which runs belong together, and what came of them; then again from time to time. */
  async look() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), around(SELDOM));
    try {
      const answer = await fetch(`${this.base}/live/${encodeURIComponent(this.run)}/about?lang=${language()}`);
      if (answer.ok) this.show(await answer.json());
      else if (answer.status === 404) this.gone();
    } catch {
      // The server is away. The sockets say so, and come back by themselves.
      if (!this.about) this.again(SOON);
    }
  }

  /** Ask again after about so many milliseconds. */
  again(time) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), around(time));
  }

  show(about) {
    this.about = about;
    this.draw();
    const { verdict } = about;
    this.say(verdict ? [element("b", {}, verdict.head), ` ${verdict.more}`] : []);
  }

  /** Have the panel draw what is known, in the page's colours. */
  draw() {
    if (!this.about) return;
    const { runs, state } = this.about;
    const data = { run: this.run, base: this.base, runs, state, connect: (asked) => this.connect(asked) };
    mount({ parentElement: node("panel"), data });
  }

  say(parts) {
    const words = new DocumentFragment();
    words.append(...parts);
    if (words.textContent !== node("said").textContent) node("said").replaceChildren(words);
  }

  gone() {
    clearTimeout(this.timer);
    node("said").classList.add("gone");
    this.say([t(DELETED)]);
  }

  /** What a run of the panel gets its news from: the server's socket, and this page hears them, too. */
  connect(asked) {
    const mine = asked.run === this.run;
    return new Feed({
      ...asked,
      onText: (message) => {
        if (message.type === "checkpoints") this.keep(asked, message);
        else asked.onText(message);
        if (mine) this.hear(message);
      },
      onLink: (link) => {
        asked.onLink(link);
        if (mine && link === "unknown") this.gone();
      },
    });
  }

  /** The watched run has said something: the tab's title follows, and at its end there is a verdict. */
  hear({ type, title, told, state }) {
    if (type === "run" || type === "events") this.title = said(told ?? title);
    if (type !== "status") return;
    document.title = `${t(state)} · ${this.title}`;
    const over = FINAL.has(state);
    if (over !== this.over) this.again(SOON);
    this.over = over;
  }

  /** Hand checkpoints on now and then, the newest alone: for each the panel asks what the network answers. */
  keep(asked, message) {
    const kept = this.checkpoints.get(asked.run);
    if (kept) kept.message = message;
    if (kept?.timer) return;
    const next = { message, timer: setTimeout(() => this.hand(asked, next), around(kept ? SELDOM : SOON)) };
    this.checkpoints.set(asked.run, next);
  }

  hand(asked, kept) {
    kept.timer = 0;
    asked.onText(kept.message);
  }
}

/** Dark and light: the browser's choice until the button is pressed. */
class Theme {
  constructor(button, changed) {
    this.button = button;
    this.changed = changed;
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.system.addEventListener("change", () => this.apply());
    const kept = recall(THEME);
    this.chosen = kept === "dark" || kept === "light" ? kept : null;
    button.hidden = false;
    button.addEventListener("click", () => {
      this.chosen = this.dark ? "light" : "dark";
      keep(THEME, this.chosen);
      this.apply();
    });
    this.apply();
  }

  get dark() {
    return this.chosen ? this.chosen === "dark" : this.system.matches;
  }

  apply() {
    document.documentElement.style.colorScheme = this.chosen ?? "light dark";
    write(this.button, this.dark ? t("Light") : t("Dark"));
    this.changed();
  }
}

await speak(document.documentElement.lang);
const { run } = document.body.dataset;
const watch = run ? new Watch(run) : null;
new Theme(node("theme"), () => watch?.draw());
