/** What a page remembers in this browser. A browser may forbid it: then nothing is known, and nothing is kept. */

/** @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function keep(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // The reader says it again next time.
  }
}
