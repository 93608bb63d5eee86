/**
 * An element with attributes and children; the one way DOM is made here.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} attributes
 * @param {string | Node | (string | Node)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of [children].flat()) node.append(child);
  return node;
}

/** Write text only when it differs, so that an unchanged node costs no layout. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A short line in a task's colour and dash; the theme picks which colour in CSS. */
export function swatch(task) {
  const line = `<svg viewBox="0 0 18 6" width="18" height="6" aria-hidden="true"><line x1="0" y1="3" x2="18" y2="3" stroke="currentColor" stroke-width="2.5"/></svg>`;
  const node = element("span", { class: "gn-swatch" });
  node.innerHTML = line;
  node.querySelector("line").setAttribute("stroke-dasharray", dashes(task.dash));
  node.style.setProperty("--gn-light", task.color.light);
  node.style.setProperty("--gn-dark", task.color.dark);
  return node;
}

/** Text nodes in which "_grad" is set as a subscript and "^α" as a superscript. */
export function notation(text) {
  return text.split(/([_^][A-Za-zα-ω]+)/).filter(Boolean).map((part) => {
    if (part[0] === "_") return element("sub", {}, part.slice(1));
    return part[0] === "^" ? element("sup", {}, part.slice(1)) : part;
  });
}

/** A row of buttons of which exactly one is pressed. */
export function segments(label, options, choose) {
  const group = element("div", { class: "gn-segments", role: "group", "aria-label": label });
  for (const [value, text] of options) {
    const button = element("button", { type: "button", "data-value": value }, notation(text));
    button.addEventListener("click", () => choose(value));
    group.append(button);
  }
  return group;
}

/** Show which button of a row is pressed. */
export function press(group, value) {
  for (const button of group.children) {
    button.setAttribute("aria-pressed", String(button.dataset.value === String(value)));
  }
}

function dashes(dash) {
  // Swatches are short: a long dash pattern has to be scaled to show its rhythm.
  const total = (dash ?? []).reduce((sum, part) => sum + part, 0);
  const scale = total > 9 ? 9 / total : 1;
  return (dash ?? []).map((part) => part * scale).join(" ") || "none";
}
