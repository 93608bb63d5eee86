// Escape leaves a slider or a chart, so that the arrow keys turn pages again.
if (!("gradnormLesson" in window)) {
  Object.assign(window, { gradnormLesson: true });
  document.addEventListener("keydown", (event) => {
    const active = /** @type {HTMLElement | null} */ (document.activeElement);
    const slider = active?.matches?.("input[type=range], [role=slider]");
    if (event.key === "Escape" && slider) active.blur();
  });
}
// A new step begins at its top.
document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
