// The frame of the page: its three sections, and the line that says how things stand.
import { call, showWhetherKeyIsKept } from "./calls.js";
import { badge, element, notice, renew } from "./elements.js";
import * as models from "./models.js";
import * as predict from "./predict.js";
import { ago } from "./times.js";
import * as train from "./train.js";

const SECTIONS = { predict, train, models };
const LOOK_MS = 3000;

let leave = () => {};
let turn = 0;

async function open() {
  const [name, detail] = location.hash.slice(1).split("/");
  const known = name in SECTIONS ? name : "predict";
  const mine = (turn += 1);
  leave();
  leave = () => {};
  for (const section of Object.keys(SECTIONS)) document.getElementById(section).hidden = section !== known;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${known}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const section = document.getElementById(known);
  document.title = `${known[0].toUpperCase()}${known.slice(1)} · Lifeboat`;
  // What was typed into the form stays while one looks elsewhere.
  if (known === "predict" && section.childElementCount > 0) return;
  try {
    const stop = (await SECTIONS[known].show(section, detail)) ?? (() => {});
    // Another section may have been opened meanwhile.
    if (mine === turn) leave = stop;
    else stop();
  } catch (error) {
    section.replaceChildren(notice(`This cannot be shown: ${error.message}.`, "bad"),
      element("button", { type: "button", onclick: open }, "Try again"));
  }
}

async function look() {
  const status = document.getElementById("status");
  try {
    const { model_version: version, redis } = await call("GET", "/health/ready", { okay: [503] });
    const shown = version === null
      ? [element("dt", {}, "Model"), element("dd", {}, element("a", { href: "#train" }, "none yet: see the first run"))]
      : [element("dt", {}, "Serving"), element("dd", {}, element("a", { href: `#models/${version}` }, version), element("small", {}, ` made ${ago(made(version))}`))];
    renew(status, ...shown, element("dt", {}, "Redis"), element("dd", {}, badge(redis)));
  } catch (refusal) {
    renew(status, element("dt", {}, "Server"), element("dd", {}, badge("down"), ` ${refusal.message}`));
  }
}

/** When a version was made, as its name says. */
function made(version) {
  const [, year, month, day, hour, minute, second] = version.match(/(....)(..)(..)-(..)(..)(..)/);
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}

showWhetherKeyIsKept();
window.addEventListener("hashchange", open);
setInterval(() => document.visibilityState === "visible" && look(), LOOK_MS);
await Promise.all([open(), look()]);
