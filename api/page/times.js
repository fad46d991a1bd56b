// Times in words; the title of an element has the exact time.
import { element } from "./elements.js";

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

export function time(iso) {
  const date = new Date(iso);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const shown = date.toLocaleString("en", { year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
  return element("time", { datetime: iso, title: iso }, shown);
}

/** Returns how long ago a time was. It does not count seconds: the status line would then change at every look, be read out again, and lose the focus. */
export function ago(iso) {
  const seconds = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  const found = UNITS.find(([, length]) => seconds >= length);
  if (found === undefined) return "less than a minute ago";
  const [unit, length] = found;
  return AGO.format(-Math.floor(seconds / length), unit);
}

/** Returns the time from one moment to another, or to now if `to` is null. */
export function lasted(from, to) {
  if (from === null) return "";
  const seconds = Math.max(0, ((to === null ? new Date() : new Date(to)) - new Date(from)) / 1000);
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}
