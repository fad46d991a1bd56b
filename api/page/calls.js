// Calls the API. An answer that is not a success becomes a Refusal with the API's own words. When a call needs the API key, the page asks for the key.

const KEY = "lifeboat-api-key";
/** A server that was frozen or unplugged never ends its connections. */
const TIMEOUT_MS = 60_000;

export class Refusal extends Error {
  /** @param {number} status 0 if the server did not answer */
  constructor(status, detail, retryAfter) {
    const faults = Array.isArray(detail) ? detail.map((fault) => ({ ...fault, words: withoutPlace(fault) })) : null;
    super(faults === null ? String(detail) : faults.map(({ msg }) => msg).join("; "));
    this.status = status;
    /** For 422: a list of `{loc, msg, words}`; `words` is `msg` without the place, which the API counts within the request. */
    this.detail = faults ?? detail;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }
}

function withoutPlace({ loc, msg }) {
  const place = ` ${loc.slice(1).join(", ")}: `;
  const at = msg.indexOf(place);
  return at < 0 ? msg : msg.slice(at + place.length);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, signal?: AbortSignal, okay?: number[]}} [options] `okay`: statuses beside 2xx that count as answers
 * @returns {Promise<any>} the JSON of the answer
 */
export async function call(method, path, { body, signal, okay = [] } = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { "X-Requested-By": "page" };
    if (key !== null && method !== "GET") headers["X-API-Key"] = key;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response, text;
    try {
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      response = await fetch(path, { method, headers, signal: ends, body: body === undefined ? undefined : JSON.stringify(body) });
      // An answer may break off, too.
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refusal(0, "the server does not answer", 2);
    }
    const answer = parsed(text);
    if (response.ok || okay.includes(response.status)) {
      if (answer === null) throw new Refusal(response.status, `the answer of ${method} ${path} is not JSON`, 2);
      return answer;
    }
    const refused = [401, 403].includes(response.status);
    if (refused && (await askForKey(response.status, answer?.detail))) continue;
    const detail = answer?.detail ?? `status ${response.status}`;
    throw new Refusal(response.status, detail, secondsOf(response.headers.get("Retry-After")));
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Returns the seconds of a Retry-After header, which a proxy may give as a date. */
function secondsOf(header) {
  const seconds = /^\d+$/.test(header ?? "") ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Math.max(seconds || 1, 1);
}

async function askForKey(status, detail) {
  const dialog = document.getElementById("key-dialog");
  const field = document.getElementById("key-field");
  const reason = status === 401 ? "This change needs the API key of this installation." : `Not accepted: ${detail}.`;
  document.getElementById("key-reason").textContent = reason;
  field.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const given = dialog.returnValue === "use" && field.value !== "";
  // A header carries only these characters; with any other, fetch itself fails.
  if (given) sessionStorage.setItem(KEY, field.value.replace(/[^\x20-\x7e\xa0-\xff]/g, ""));
  else sessionStorage.removeItem(KEY);
  field.value = "";
  showWhetherKeyIsKept();
  return given;
}

export function showWhetherKeyIsKept() {
  const button = document.getElementById("forget-key");
  button.hidden = sessionStorage.getItem(KEY) === null;
  button.onclick = () => {
    sessionStorage.removeItem(KEY);
    button.hidden = true;
  };
}
