// Looks again and again while the page is seen.

/**
 * Calls `look` after each pause. A look that takes long is waited for: otherwise the calls to a slow server would pile up.
 * @param {() => Promise<void>} look
 * @param {number} pauseMs
 * @returns {() => void} ends the rounds
 */
export function rounds(look, pauseMs) {
  let ended = false;
  (async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (ended) return;
      if (document.visibilityState === "visible") await look();
    }
  })();
  return () => (ended = true);
}
