// Calls the API. An answer that is not a success becomes a Refusal with the API's own words. When a call needs the API key, the page asks for the key.
import { note } from "./served.js";

const KEY = "lifeboat-api-key";
/** A server that was frozen or unplugged never ends its connections. */
const TIMEOUT_MS = 60_000;
const NEEDED = "This call needs the API key of this installation.";

/** The dialog that is open. */
let asking = null;
/** Whether a person closed the dialog without a key. */
let declined = false;

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
 * @param {string} path as in the OpenAPI document
 * @param {{body?: unknown, signal?: AbortSignal, okay?: number[]}} [options] `okay`: statuses beside 2xx that count as answers
 * @returns {Promise<any>} the JSON of the answer
 */
export async function call(method, path, { body, signal, okay = [] } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await request(method, path, { body, okay, signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
  // An answer may break off, too.
  const text = await response.text().catch((error) => lost(error, signal));
  const answer = parsed(text);
  // A proxy may answer for a server that is away.
  if (answer === null) throw new Refusal(response.status, response.ok ? `the answer of ${method} ${path} is not JSON` : `status ${response.status}`, 2);
  return answer;
}

/**
 * Sends a request, with the API key once there is one. The path is taken from where the page is: a proxy may have put it below another.
 * @returns {Promise<Response>} an answer that is a success
 */
export async function request(method, path, { body, signal, okay = [] } = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { "X-Requested-By": "page" };
    if (key !== null) headers["X-API-Key"] = key;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const content = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(`.${path}`, { method, headers, signal, body: content }).catch((error) => lost(error, signal));
    const version = response.headers.get("X-Model-Version");
    if (version !== null) note(version);
    if (response.ok || okay.includes(response.status)) return response;
    const text = await response.text().catch((error) => lost(error, signal));
    const detail = parsed(text)?.detail ?? `status ${response.status}`;
    if ([401, 403].includes(response.status)) {
      // Another call may have got a key meanwhile.
      if (sessionStorage.getItem(KEY) !== key) continue;
      // What the page asks by itself does not open the dialog again that a person has closed.
      const asks = method !== "GET" || !declined;
      if (asks && (await askForKey(response.status === 401 ? NEEDED : `Not accepted: ${detail}.`))) continue;
    }
    throw new Refusal(response.status, detail, secondsOf(response.headers.get("Retry-After")));
  }
}

/** Throws for a request that got no whole answer. */
function lost(error, signal) {
  if (signal?.aborted && signal.reason?.name !== "TimeoutError") throw error;
  throw new Refusal(0, "the server does not answer", 2);
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

/** Resolves to whether there is a new key. Calls that need it at the same time share the dialog. */
function askForKey(reason) {
  asking ??= answerOfDialog(reason).finally(() => (asking = null));
  return asking;
}

async function answerOfDialog(reason) {
  const dialog = document.getElementById("key-dialog");
  const field = document.getElementById("key-field");
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
  declined = !given;
  showWhetherKeyIsKept();
  return given;
}

export function showWhetherKeyIsKept() {
  const forget = document.getElementById("forget-key");
  const enter = document.getElementById("enter-key");
  forget.hidden = sessionStorage.getItem(KEY) === null;
  enter.hidden = !declined;
  forget.onclick = () => {
    sessionStorage.removeItem(KEY);
    forget.hidden = true;
  };
  enter.onclick = () => askForKey(NEEDED);
}
