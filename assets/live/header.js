/** The run's state, title, progress and downloads. */
import { count, duration, rate } from "./format.js";
import { element, write } from "./dom.js";
import { later, said, t } from "./words.js";

const ICONS = {
  [later("queued")]: "M6 1.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M6 3.5V6l1.8 1.2",
  [later("running")]: "M3.5 2v8l6-4z",
  [later("paused")]: "M4 2.5v7M8 2.5v7",
  [later("finished")]: "M2.5 6.5 5 9l4.5-6",
  [later("stopped")]: "M3 3h6v6H3z",
  [later("diverged")]: "M2 9.5c3 0 5-2 6-7M5.5 3.5 8.2 2l1.3 2.8",
  [later("failed")]: "M3 3l6 6M9 3l-6 6",
  [later("interrupted")]: "M2 6h2.5M7.5 6H10M5.5 3.5l1 5",
};
const FILES = [["csv", "CSV"], ["parquet", "Parquet"], ["json", "JSON"], ["spec", later("spec")]];

/** States in which a run stays: nothing more will come. */
export const FINAL = new Set(["finished", "stopped", "diverged", "failed", "interrupted"]);

const LINKS = {
  lost: later("reconnecting…"),
  unknown: later("No run ID here. It may have been deleted."),
  foreign: later("This page may not read the run: it was opened from another address."),
};

/** The header of the panel. */
export class Header {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.icon = element("span", { class: "gn-icon", "aria-hidden": "true" });
    this.word = element("span");
    this.pill = element("span", { class: "gn-pill", role: "status", "aria-live": "polite" }, [this.icon, this.word]);
    this.title = element("h2", { class: "gn-run-title" });
    this.note = element("span", { class: "gn-note", "data-testid": "in-front" });
    this.files = element("nav", { class: "gn-files", "aria-label": t("Download this run") });
    this.bar = element("div", { class: "gn-bar" });
    this.track = element("div", { class: "gn-track", role: "progressbar", "aria-label": t("steps done"), "aria-valuemin": 0 }, this.bar);
    this.detail = element("span", { class: "gn-detail" });
    this.message = element("span", { class: "gn-message" });
    this.link = element("span", { class: "gn-link", role: "status" });
    const top = element("div", { class: "gn-top" }, [this.pill, this.title, this.note, this.files]);
    const line = element("div", { class: "gn-line" }, [this.detail, this.message, this.link]);
    this.node = element("header", { class: "gn-header" }, [top, this.track, line]);
    this.clear();
  }

  /** No run: say what is shown instead, in the room a run's header would take. */
  clear() {
    this.shown = null;
    this.pill.hidden = true;
    this.files.replaceChildren();
    this.node.classList.add("gn-no-run");
    write(this.title, t("A prepared race, recorded earlier"));
    for (const node of [this.note, this.detail, this.message, this.link]) write(node, "");
    this.bar.style.transform = "scaleX(0)";
  }

  /** Tell of the run in front, as soon as it is there; until then of the watched one. */
  update() {
    const { front, watched } = this.panel;
    const run = front?.history ? front : watched;
    if (!run) return;
    if (run !== this.shown) this.open(run);
    write(this.title, run.run?.title ?? "");
    write(this.note, run === watched ? "" : t("in front; the controls steer {key}", { key: watched.key }));
    if (run.status) this.status(run.status, run.step);
    this.connection(run.link);
  }

  /** Another run: its downloads, and no word of the one before. */
  open(run) {
    this.clear();
    this.shown = run;
    this.node.classList.remove("gn-no-run");
    if (run.base === null) return;
    const at = `${run.base}/live/${encodeURIComponent(run.id)}/export/`;
    const links = FILES.map(([kind, text]) => element("a", { href: at + kind, download: true, title: t("Download this run: {kind}", { kind: t(text) }) }, t(text)));
    this.files.replaceChildren(element("span", { class: "gn-files-label" }, t("Download")), ...links);
  }

  /** Show the server's status; `step` is the newest step known. */
  status(status, step) {
    const { state } = status;
    if (this.pill.dataset.state !== state || this.pill.hidden) {
      this.pill.hidden = false;
      this.pill.dataset.state = state;
      this.icon.innerHTML = `<svg viewBox="0 0 12 12" width="12" height="12"><path d="${ICONS[state] ?? ICONS.queued}"/></svg>`;
      write(this.word, t(state));
    }
    write(this.message, said(status.told ?? status.message ?? ""));
    this.progress(status, step);
  }

  /** Move the bar and the line under it. */
  progress(status, step) {
    const share = status.steps ? Math.min(1, step / status.steps) : 0;
    this.bar.style.transform = `scaleX(${share})`;
    this.track.setAttribute("aria-valuemax", status.steps || 1);
    this.track.setAttribute("aria-valuenow", step);
    write(this.detail, sentence(status, step));
  }

  /** Say what is wrong with the connection, or nothing. */
  connection(state) {
    write(this.link, t(LINKS[state] ?? ""));
    const gone = state === "unknown" || state === "foreign";
    this.files.hidden = gone;
    this.node.classList.toggle("gn-is-gone", gone);
  }
}

function sentence(status, step) {
  const { state, steps, steps_per_second: speed, seconds_left: left, device, place } = status;
  const parts = [];
  if (state === "queued" && place) parts.push(t("place {place} in the queue", { place }));
  parts.push(t("{done} steps", { done: steps ? `${count(step)} / ${count(steps)}` : count(step) }));
  if (state === "running" && speed) parts.push(t("{rate} steps/s", { rate: rate(speed) }));
  if (state === "running" && Number.isFinite(left) && left !== null) parts.push(t("{time} left", { time: duration(left) }));
  if (device) parts.push(said(device));
  return parts.join(" · ");
}
