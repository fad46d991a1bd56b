// Follows a stream of server-sent events. The browser's own EventSource cannot send the API key.
import { request } from "./calls.js";

/** The API gives a sign of life every 15 s. */
const SILENT_MS = 60_000;

/**
 * Yields the data of each event, from JSON, until the stream ends.
 * @param {string} path
 * @param {AbortSignal} signal
 * @throws {import("./calls.js").Refusal} if the API refuses
 */
export async function* events(path, signal) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENT_MS);
  };
  try {
    heard();
    const response = await request("GET", path, { signal: AbortSignal.any([signal, silence.signal]) });
    if (response.body === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const event of parts) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
        if (data.length > 0) yield JSON.parse(data.join("\n"));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
