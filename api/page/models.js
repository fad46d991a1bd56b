// The section Models: the versions and their metrics, what each API process serves, and the choice of another version.
import { number } from "./answer.js";
import { call } from "./calls.js";
import { badge, confirmed, element, notice, renew, table } from "./elements.js";
import { comparison, heading, isHigherBetter, metricsOf, nameOf, score } from "./metrics.js";
import { plots } from "./plots.js";
import { rounds } from "./rounds.js";
import { ago, time } from "./times.js";
import { trend } from "./trend.js";

const LOOK_MS = 2000;
const LABELS = 12;
const SWAP_TRIES = 50;
const SWAP_PAUSE_MS = 100;
const CHANGE = "allow_schema_change";

/** @param {string} [chosen] the version to show; by default the served one */
export async function show(section, chosen) {
  const list = element("div.card", {}, element("h2", {}, "Versions"), element("p.hint", {}, "Loading …"));
  // A place of its own: the details are made anew when another version is served.
  const warning = element("div", {});
  const details = element("div", {});
  const processes = element("div.card", { "aria-live": "polite" });
  section.replaceChildren(element("h1", {}, "Models"), list, warning, details, processes);
  let known = "";
  async function look() {
    const { serving, versions } = await call("GET", "/models");
    const now = JSON.stringify([serving, versions.map((version) => version.model_version)]);
    if (now === known) return;
    known = now;
    const selected = versions.some((version) => version.model_version === chosen) ? chosen : (serving ?? versions[0]?.model_version);
    list.replaceChildren(...overview(versions, serving, selected));
    if (chosen !== undefined && selected !== chosen) list.prepend(notice(`There is no version ${chosen} on the volume any more.`, "bad"));
    if (selected === undefined) details.replaceChildren();
    else details.replaceChildren(await detailsOf(selected, versions, serving, warning));
  }
  const lookSafely = async () => {
    await look().catch((refusal) => {
      known = "";
      renew(list, element("h2", {}, "Versions"), notice(`The versions cannot be shown: ${refusal.message}.`, "bad"));
    });
    renew(processes, element("h2", {}, "API processes"), await processTable());
  };
  await lookSafely();
  return rounds(lookSafely, LOOK_MS);
}

function overview(versions, serving, selected) {
  if (versions.length === 0) return [element("h2", {}, "Versions"), notice("There is no version yet. The first one is being trained.")];
  // The served version, or the newest one, says what the others are seen by.
  const main = versions.find((version) => version.model_version === serving) ?? versions[0];
  const metric = main.metric in main.metrics ? main.metric : Object.keys(main.metrics)[0];
  const alike = versions.filter((version) => version.target === main.target && version.kind === main.kind);
  const drawn = alike.filter((version) => metric in version.metrics).reverse();
  const metrics = metricsOf([main, ...versions]);
  const manyTargets = alike.length < versions.length;
  const words = `${nameOf(metric)} over the versions${manyTargets ? ` that predict ${main.target}` : ""}`;
  return [
    element("h2", {}, "Versions"),
    ...(drawn.length === 0 ? [] : [
      element("p.hint", {}, `${words}, oldest first: mean and spread over the folds; ${isHigherBetter(metric, [main]) ? "higher" : "lower"} is better`),
      element("div.scroll", { tabindex: 0, role: "region", "aria-label": words }, trend(drawn, metric, serving)),
      element("ul.legend", {}, ...["served", "promoted", "rejected"].map((kind) => element("li", { class: kind }, kind))),
    ]),
    table("Every version on the volume, newest first; mean ± spread over the folds",
      ["Version", "Made", "Gate", ...(manyTargets ? ["Predicts"] : []), ...metrics.map((each) => element("th", { scope: "col" }, heading(each, [main, ...versions])))],
      versions.map((version) => {
        const name = version.model_version;
        return element("tr", { class: name === selected ? "selected" : null },
          element("th", { scope: "row" }, element("a", { href: `#models/${name}`, "aria-current": name === selected ? "true" : null }, name),
            name === serving ? badge("served") : null),
          element("td", {}, time(version.created_at)),
          element("td", {}, badge(version.outcome)),
          manyTargets ? element("td", {}, version.target) : null,
          ...metrics.map((each) => element("td", {}, score(version.metrics[each]))));
      })),
  ];
}

async function detailsOf(name, versions, serving, warning) {
  let manifest;
  try {
    manifest = await call("GET", `/models/${name}`);
  } catch (refusal) {
    return element("div.card", {}, element("h2", {}, name), notice(`The version cannot be shown: ${refusal.message}.`, "bad"));
  }
  const others = versions.map((version) => version.model_version).filter((other) => other !== name);
  const place = element("div", {}, await plots([manifest]));
  const problem = element("div", {});
  const compare = element("select", { id: "compare" }, element("option", { value: "" }, "nothing"),
    ...others.map((other) => element("option", { value: other }, other === serving ? `${other} (served)` : other)));
  compare.addEventListener("change", async () => {
    const against = compare.value;
    let shown;
    try {
      if (against === "") shown = [await plots([manifest])];
      else {
        const other = await call("GET", `/models/${against}`);
        shown = [comparison([name, manifest], [other.model_version, other]), await plots([manifest, other])];
      }
    } catch (refusal) {
      shown = [notice(`${against} cannot be compared: ${refusal.message}.`, "bad")];
    }
    // Another one may have been chosen meanwhile.
    if (against === compare.value) place.replaceChildren(...shown);
  });
  const serve = name === serving
    ? element("span.served-now", {}, badge("served"), " This version answers now.")
    : element("button.primary", { type: "button", onclick: () => serveVersion(name, serving, problem, warning) }, "Serve this version");
  return element("div.card", {},
    element("div.card-head", {}, element("h2", {}, name), serve),
    problem, facts(manifest),
    element("p.choice", {}, element("label", { for: "compare" }, "Compare with"), compare), place);
}

async function serveVersion(name, serving, problem, warning) {
  const agreed = await confirmed(`Serve ${name}?`, `Every API process then answers with this version instead of ${serving ?? "none"}. You can choose any other version in the same way.`, "Serve it");
  if (!agreed) return;
  try {
    warning.replaceChildren();
    const chosen = await choose(name);
    if (!chosen) return;
    if (!chosen.kept) warning.replaceChildren(notice(`${name} is chosen, but the worker has not noted it on the volume. An API process that starts without Redis may serve another version. Is the worker running, and is its disk full? Its log says why.`, "bad"));
    for (let tries = 0; tries < SWAP_TRIES; tries += 1) {
      if ((await call("GET", "/models")).serving === name) return;
      await new Promise((resolve) => setTimeout(resolve, SWAP_PAUSE_MS));
    }
    problem.replaceChildren(notice("The version is chosen, but the API process that answers this page does not serve it yet.", "bad"));
  } catch (refusal) {
    problem.replaceChildren(notice(`The version is not served: ${refusal.message}.`, "bad"));
  }
}

/** Chooses a version; if clients would notice its schema, only after asking. Returns the API's answer; null if it was not chosen. */
async function choose(name) {
  const body = { model_version: name };
  try {
    return await call("PUT", "/models/current", { body });
  } catch (refusal) {
    // A version that is damaged or being removed is refused with the same status, and cannot be served at all.
    if (refusal.status !== 409 || !refusal.message.includes(CHANGE)) throw refusal;
    const agreed = await confirmed(`Serve ${name} although clients notice?`, sentence(refusal.message), "Serve it nevertheless");
    if (!agreed) return null;
    return await call("PUT", "/models/current", { body: { ...body, [CHANGE]: true } });
  }
}

/** Returns what a refusal says of the version, and not how to write the call, which the page does. */
function sentence(message) {
  const [said] = message.split(/[;.,] [^;.]*allow_schema_change/);
  return `${said.replace(/^[a-z]/, (letter) => letter.toUpperCase())}. Requests that do not fit are then refused.`;
}

function facts(manifest) {
  const { gate, parity, stage_seconds: seconds, schema } = manifest;
  const rows = [
    ["Made", `${ago(manifest.created_at)}, by run ${manifest.job_id.slice(0, 8)}`],
    ["Gate", `${gate.outcome}: ${gate.reason}`],
    ["Predicts", predicts(schema)],
    ["Parity proof", `${count(parity.rows)} rows compared; largest difference ${parity.max_difference.toExponential(1)}${schema.kind === "regression" ? " of the number or of the spread of the target" : `, ${parity.labels_differ} labels differ`}`],
    ["Training data", trainedOn(manifest)],
    ["Stages", Object.entries(seconds).map(([stage, took]) => `${stage} ${took.toFixed(2)} s`).join(", ")],
    ["Libraries", Object.entries(manifest.libraries).map(([library, version]) => `${library} ${version}`).join(", ")],
  ];
  return element("dl.facts", {}, ...rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

const count = (rows) => rows.toLocaleString("en");

/** Returns in words what a version says of a record. */
function predicts({ target, kind, classes, positive }) {
  if (kind === "regression") return `${target}, a number`;
  const [more, shown] = [classes.length - LABELS, classes.slice(0, LABELS).join(", ")];
  return `${target}: ${shown}${more > 0 ? ` and ${count(more)} more` : ""}${kind === "binary" ? `; its probability is that of ${positive}` : ""}`;
}

function trainedOn({ data, schema: { target, positive } }) {
  const words = [`${data.source}: ${count(data.rows)} rows`];
  if (data.positives !== undefined) words[0] += `, ${count(data.positives)} with ${target} ${positive}`;
  const labels = Object.entries(data.labels ?? {});
  if (labels.length > 0)
    words.push(labels.slice(0, LABELS).map(([label, rows]) => `${count(rows)} × ${label}`).join(", ") + (labels.length > LABELS ? ` and ${labels.length - LABELS} more labels` : ""));
  const quantiles = data.quantiles ?? [];
  if (quantiles.length > 0)
    words.push(`${target} from ${number(quantiles[0])} to ${number(quantiles.at(-1))}, half of it up to ${number(quantiles[Math.floor(quantiles.length / 2)])}`);
  return [...words, `SHA-256 ${data.sha256.slice(0, 12)}…`].join("; ");
}

async function processTable() {
  try {
    const { processes } = await call("GET", "/processes");
    return table("Which version each API process serves right now", ["Process", "Version"],
      processes.map(({ process, model_version }) => element("tr", {}, element("th", { scope: "row" }, process), element("td", {}, model_version ?? "none yet"))));
  } catch (refusal) {
    return notice(`The API processes cannot be listed: ${refusal.message}.`);
  }
}
