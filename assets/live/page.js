/** What the page around the panel knows, and what it is told: Streamlit runs it again for whatever is new. */

const MOST_TELLS = 20;
// What this tab itself has asked of the run, the page may be about to say.
const HEARSAY = 200;

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

  /** Tell the state again: while Streamlit is cut off, as after the server's restart, what it is told is lost. */
  remind() {
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
  compare() {
    clearTimeout(this.comparing);
    const { panel } = this;
    const asked = () => JSON.stringify(panel.watched?.status?.asked ?? {});
    const differs = () => asked() !== this.asked;
    if (differs()) this.comparing = setTimeout(() => differs() && this.report?.("asked", `${panel.id} ${asked()}`), HEARSAY);
  }

  close() {
    clearTimeout(this.comparing);
  }
}
