// Calls the API. An answer that is not a success becomes a Refusal with the API's own words. When a call needs the API key, the page asks for the key.

const KEY = "lifeboat-api-key";

export class Refusal extends Error {
  /** @param {number} status 0 if the server did not answer */
  constructor(status, detail, retryAfter) {
    super(typeof detail === "string" ? detail : "the request was refused");
    this.status = status;
    /** For 422: a list of `{loc, msg}`. */
    this.detail = detail;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }
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
    let response;
    try {
      response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refusal(0, "the server does not answer", 2);
    }
    const answer = await response.json().catch(() => null);
    if (response.ok || okay.includes(response.status)) {
      if (answer === null) throw new Refusal(response.status, `the answer of ${method} ${path} is not JSON`, 2);
      return answer;
    }
    const refused = [401, 403].includes(response.status);
    if (refused && (await askForKey(response.status, answer?.detail))) continue;
    const detail = answer?.detail ?? `status ${response.status}`;
    throw new Refusal(response.status, detail, Number(response.headers.get("Retry-After") ?? 1));
  }
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
