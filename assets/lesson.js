// Escape leaves a slider or a chart, so that the arrow keys turn pages again.
if (!window.gradnormLesson) {
  window.gradnormLesson = true;
  document.addEventListener("keydown", (event) => {
    const slider = document.activeElement?.matches?.("input[type=range], [role=slider]");
    if (event.key === "Escape" && slider) document.activeElement.blur();
  });
}
// A new step begins at its top.
document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
