// Which version is served, as far as the page knows from any answer, and who wants to hear of another.

/** undefined: not known yet; null: no model yet */
let version;
/** @type {Set<(version: string | null) => void>} */
const listeners = new Set();

/** Notes which version has answered. @param {string | null} found */
export function note(found) {
  if (found === version) return;
  const before = version;
  version = found;
  // The first version that the page hears of is that of what it has loaded.
  if (before !== undefined) for (const listener of listeners) listener(found);
}

/** Calls `listener` whenever another version is served than before. */
export function onChange(listener) {
  listeners.add(listener);
}
