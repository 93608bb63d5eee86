/** What the page around the panel knows, and what it is told: Streamlit runs it again for whatever is new. */
import { t } from "./words.js";

const MOST_TELLS = 20;
// What this tab itself has asked of the run, the page may be about to say: it is waited for, but not for long.
const HEARSAY = 150;
const MOST_WAITS = 20;

/** The wire to Streamlit of one panel. */
export class Page {
  constructor(panel) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.told = 0;
    this.asked = "{}";
  }

  /** Take what Streamlit passes with each run of the page. */
  hear({ data, setStateValue, setTriggerValue }) {
    this.report = setStateValue;
    this.trigger = setTriggerValue;
    this.state = data?.state;
    this.asked = JSON.stringify(data?.asked ?? {});
  }

  /** The watched run's state is another; `before`: what it was, null if this is the first that is heard of it. */
  moved(before) {
    const { state } = this.panel;
    this.told = 0;
    if ((before ?? this.state ?? state) !== state) this.tell();
  }

  /** Streamlit calls the way to the sidebar by what it does; here it is called by what is there. */
  nameDrawer() {
    document.querySelector("[data-testid=stExpandSidebarButton]")?.setAttribute("aria-label", t("Controls"));
  }

  /** What is said of a run may be longer than its room: then Tab leads there, and arrows scroll it. */
  openWords() {
    for (const words of document.querySelectorAll(".st-key-words > *")) {
      if (words.scrollHeight > words.clientHeight) words.setAttribute("tabindex", "0");
      else words.removeAttribute("tabindex");
    }
  }

  /** Tell the state again: while Streamlit is cut off, as after the server's restart, what it is told is lost. */
  remind() {
    this.compare();
    if (this.told && this.told < MOST_TELLS && this.state !== this.panel.state) this.tell();
  }

  /** Tell the new state. Streamlit drops a value that it has been told before. */
  tell() {
    this.told += 1;
    this.report?.("state", `${this.panel.id} ${this.panel.state} ${this.told}`);
  }

  /** The watched run is no more. */
  tellGone() {
    this.report?.("state", `${this.panel.id} deleted`);
  }

  /** Tell what is asked of the run, if that was another tab: the controls here show what it uses. */
  compare(waited = 0) {
    clearTimeout(this.comparing);
    const { watched } = this.panel;
    const asked = JSON.stringify(watched?.status?.asked ?? {});
    if (!watched || watched.final || asked === this.asked) return;
    if (waited && (waited > MOST_WAITS || !isBusy())) this.report?.("asked", `${this.panel.id} ${asked} ${Date.now()}`);
    else this.comparing = setTimeout(() => this.compare(waited + 1), HEARSAY);
  }

  close() {
    clearTimeout(this.comparing);
  }
}

/** True while Streamlit runs the page, as far as it says so. */
function isBusy() {
  const state = document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state") ?? "notRunning";
  return state !== "notRunning";
}
