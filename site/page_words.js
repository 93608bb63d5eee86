/** The language of a page of the site, which a file server knows nothing of: the address asks for it, or the browser. */
import { language, speak, t } from "../assets/live/words.js";

/** Speak the reader's language on this page; returns what Python declares. */
export async function begin() {
  const answer = await fetch(new URL("./declared.json", import.meta.url));
  const declared = await answer.json();
  await speak(wanted(declared.languages));
  document.documentElement.lang = language();
  translate(document);
  return declared;
}

/** The language to speak: what the address asks for, else the browser's first that there is. */
function wanted(languages) {
  const asked = [new URLSearchParams(location.search).get("lang"), ...navigator.languages].map((code) => code?.split("-")[0].toLowerCase());
  return asked.find((code) => languages.includes(code)) ?? languages[0];
}

/** Put what the page itself holds into the reader's language. `data-t` names an attribute, or is empty for what is inside. */
function translate(page) {
  for (const part of page.querySelectorAll("[data-t]")) {
    const name = part.dataset.t;
    if (name) part.setAttribute(name, t(part.getAttribute(name)));
    else part.innerHTML = t(part.innerHTML.trim().replace(/\s+/g, " "));
  }
}
