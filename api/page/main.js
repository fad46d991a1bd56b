// The frame of the page: its three sections and the status line.
import { call, showWhetherKeyIsKept } from "./calls.js";
import { badge, element, notice, renew } from "./elements.js";
import * as models from "./models.js";
import * as predict from "./predict.js";
import { rounds } from "./rounds.js";
import { note } from "./served.js";
import { ago } from "./times.js";
import * as train from "./train.js";

const SECTIONS = { predict, train, models };
const LOOK_MS = 3000;

let leave = () => {};
let turn = 0;
/** The section Predict is made once: what a person typed into its form stays while another section is open. */
let predictIsMade = false;

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
  document.getElementById("starting")?.remove();
  const section = document.getElementById(known);
  const title = `${known[0].toUpperCase()}${known.slice(1)}`;
  document.title = `${title} · Lifeboat`;
  if (known === "predict" && predictIsMade) return;
  section.replaceChildren(element("h1", {}, title), notice("Loading …"));
  try {
    const stop = (await SECTIONS[known].show(section, detail)) ?? (() => {});
    if (known === "predict") predictIsMade = true;
    // Another section may have been opened meanwhile.
    if (mine === turn) leave = stop;
    else stop();
  } catch (error) {
    if (mine !== turn) return;
    section.replaceChildren(element("h1", {}, title),
      notice(`${title} cannot be shown, because ${error.message}. Check that the server runs and what its log says, then try again.`, "bad"),
      element("div.buttons", {}, element("button.primary", { type: "button", onclick: open }, "Try again")));
  }
}

async function look() {
  const status = document.getElementById("status");
  try {
    const { model_version: version, redis, ...lifeboat } = await call("GET", "/health/ready", { okay: [503] });
    note(version);
    document.getElementById("build").textContent = `Lifeboat ${lifeboat.version}, revision ${lifeboat.revision}`;
    const shown = version === null
      ? [element("dt", {}, "Model"), element("dd", {}, element("a", { href: "#train" }, "none yet: see the first run"))]
      : [element("dt", {}, "Serving"), element("dd", {}, element("a", { href: `#models/${version}` }, version), element("small", {}, ` made ${ago(made(version))}`))];
    renew(status, ...shown, element("dt", {}, "Redis"), element("dd", {}, badge(redis)));
  } catch (refusal) {
    renew(status, element("dt", {}, "Server"), element("dd", {}, badge("down"), ` ${refusal.message}`));
  }
}

/** Returns when a version was made; its name says so. */
function made(version) {
  const [, year, month, day, hour, minute, second] = version.match(/(....)(..)(..)-(..)(..)(..)/);
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}

showWhetherKeyIsKept();
window.addEventListener("hashchange", open);
rounds(look, LOOK_MS);
await Promise.all([open(), look()]);
