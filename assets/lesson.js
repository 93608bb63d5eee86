// The lesson's keys, and a page that follows its class. Runs again at each step; what it defines stays.
if (!("gradnormLesson" in window)) {
  /** @returns {DOMStringMap} what the page says of itself: step, steps, audience */
  const told = () => /** @type {HTMLElement} */ (document.querySelector(".lesson-place"))?.dataset ?? {};

  const KEYS = {
    ArrowLeft: "previous",
    ArrowRight: "next",
    PageUp: "previous",
    PageDown: "next",
    p: "present",
    Enter: "reveal",
    " ": "play",
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  // What Tab leads to keeps Enter and the space bar; what is written in, and open menus, keep all keys.
  const WRITTEN_IN = "textarea, input:not([type=range]), [contenteditable=true]";
  const PRESSED = "button, a, summary, [role=button], [role=radio]";
  const MENUS = "[data-testid=stPopoverBody], [role=dialog], [role=menu]";

  // Streamlit's sliders take all arrows; here those to the left and right turn pages, and those up and down move them.
  window.addEventListener(
    "keydown",
    (event) => {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const active = /** @type {HTMLElement | null} */ (document.activeElement);
      if (!told().step || !(key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (active?.matches?.(WRITTEN_IN) || document.querySelector(MENUS)) return;
      if ((key === "Enter" || key === " ") && active?.matches?.(PRESSED)) return;
      // Of options that exclude each other only one can be tabbed to; arrows lead on.
      if (key.startsWith("Arrow") && active?.matches?.("[role=radio]")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const name = still.matches && KEYS[key] === "play" ? "beat" : KEYS[key];
      const button = /** @type {HTMLButtonElement | null} */ (document.querySelector(`.st-key-lesson-${name} button`));
      if (!event.repeat) button?.click();
    },
    true,
  );
  // A button that was clicked with a mouse does not keep the keys.
  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest?.("button");
    if (event.detail > 0 && told().step && button) button.blur();
  });

  /** The class that is followed. due: whether its step was heard of and not gone to yet. */
  const following = { code: "", socket: /** @type {WebSocket | null} */ (null), step: "", due: false };

  const go = () => {
    const { step, steps } = told();
    if (!following.due || !step) return;
    const buttons = document.querySelectorAll(".st-key-lesson-steps button");
    const wanted = /** @type {HTMLElement | undefined} */ (buttons[steps.split(" ").indexOf(following.step)]);
    // The page may still be on its way.
    if (!wanted) {
      setTimeout(go, 300);
      return;
    }
    following.due = false;
    if (step !== following.step) wanted.click();
  };

  const listen = () => {
    const code = following.code;
    if (!code) return;
    const address = new URL(`./live/class/${code}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    following.socket = socket;
    socket.addEventListener("message", ({ data }) => {
      following.step = JSON.parse(data).step;
      following.due = true;
      go();
    });
    socket.addEventListener("close", ({ code: reason }) => {
      // 4403 and 4404 say that it is of no use to ask again. Otherwise a class does not come back all at once.
      if (following.socket === socket && reason !== 4403 && reason !== 4404) {
        setTimeout(() => following.socket === socket && listen(), 1000 + 3000 * Math.random());
      }
    });
  };

  const arrive = () => {
    document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
    // In a long language the steps scroll inside their bar.
    const here = document.querySelector(".st-key-lesson-steps button[aria-checked=true]");
    here?.scrollIntoView({ block: "nearest", inline: "nearest" });
    const { audience = "" } = told();
    if (audience !== following.code) {
      following.socket?.close();
      Object.assign(following, { code: audience, socket: null, due: false });
      listen();
    }
    go();
  };
  Object.assign(window, { gradnormLesson: { arrive } });
}
/** @type {any} */ (window).gradnormLesson.arrive();
