// Asks again, after growing pauses, while the server is away or has too much to do.

/** Statuses that pass by themselves: no answer, too many requests, a server or a proxy that restarts. */
const PASSING = new Set([0, 408, 425, 429, 502, 503, 504]);
const LONGEST_SECONDS = 30;
/** Of a Retry-After header. */
const MOST_SECONDS = 3600;

/**
 * @template T
 * @param {() => Promise<T>} ask is called until it succeeds or throws what does not pass
 * @param {AbortSignal} signal ends the waiting
 * @param {(refusal: import("./calls.js").Refusal | null, seconds?: number) => void} waits is called before each pause, and with null after the last one
 * @returns {Promise<T>}
 */
export async function patiently(ask, signal, waits) {
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await ask();
      if (tries > 0) waits(null);
      return answer;
    } catch (refusal) {
      if (!PASSING.has(refusal.status)) {
        if (tries > 0) waits(null);
        throw refusal;
      }
      const seconds = Math.min(Math.max(refusal.retryAfter, Math.min(2 ** tries, LONGEST_SECONDS)), MOST_SECONDS);
      waits(refusal, seconds);
      await pause(seconds, signal);
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, 1000 * seconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
