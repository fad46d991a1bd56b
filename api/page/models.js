// The section Models: the versions and their metrics, what each API process serves, and the choice of another version.
import { call, request } from "./calls.js";
import { badge, confirmed, element, notice, renew, table } from "./elements.js";
import { comparison, METRICS, score } from "./metrics.js";
import { rounds } from "./rounds.js";
import { ago, time } from "./times.js";
import { trend } from "./trend.js";

const LOOK_MS = 2000;
const SWAP_TRIES = 50;
const SWAP_PAUSE_MS = 100;

const PLOTS = [
  ["roc", "ROC curve", "True-positive rate against false-positive rate, over all thresholds"],
  ["precision-recall", "Precision and recall", "Precision against recall, over all thresholds"],
  ["calibration", "Calibration", "Share of label 1 against predicted probability"],
  ["confusion-matrix", "Confusion matrix", "Labels against predictions, at a threshold of one half"],
  ["permutation-importance", "Permutation importance", "Loss of ROC AUC when a field is shuffled"],
];

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
  return [
    element("h2", {}, "Versions"),
    element("p.hint", {}, "ROC AUC over the versions, oldest first: mean and spread over the folds"),
    element("div.scroll", { tabindex: 0, role: "region", "aria-label": "ROC AUC over the versions" }, trend([...versions].reverse(), serving)),
    element("ul.legend", {}, ...["served", "promoted", "rejected"].map((kind) => element("li", { class: kind }, kind))),
    table("Every version on the volume, newest first; mean ± spread over the folds",
      ["Version", "Made", "Gate", ...METRICS.map(([, label]) => label)],
      versions.map((version) => {
        const name = version.model_version;
        return element("tr", { class: name === selected ? "selected" : null },
          element("th", { scope: "row" }, element("a", { href: `#models/${name}`, "aria-current": name === selected ? "true" : null }, name),
            name === serving ? badge("served") : null),
          element("td", {}, time(version.created_at)),
          element("td", {}, badge(version.outcome)),
          ...METRICS.map(([key]) => element("td", {}, score(version.metrics[key]))));
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
        shown = [comparison([name, manifest.metrics], [other.model_version, other.metrics]), await plots([manifest, other])];
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
    const { kept } = await call("PUT", "/models/current", { body: { model_version: name } });
    if (!kept) warning.replaceChildren(notice(`${name} is chosen, but the worker has not noted it on the volume. An API process that starts without Redis may serve another version. Is the worker running, and is its disk full? Its log says why.`, "bad"));
    for (let tries = 0; tries < SWAP_TRIES; tries += 1) {
      if ((await call("GET", "/models")).serving === name) return;
      await new Promise((resolve) => setTimeout(resolve, SWAP_PAUSE_MS));
    }
    problem.replaceChildren(notice("The version is chosen, but the API process that answers this page does not serve it yet.", "bad"));
  } catch (refusal) {
    problem.replaceChildren(notice(`The version is not served: ${refusal.message}.`, "bad"));
  }
}

function facts(manifest) {
  const { gate, parity, data, stage_seconds: seconds } = manifest;
  const rows = [
    ["Made", `${ago(manifest.created_at)}, by run ${manifest.job_id.slice(0, 8)}`],
    ["Gate", `${gate.outcome}: ${gate.reason}`],
    ["Parity proof", `${parity.rows.toLocaleString("en")} rows compared; largest difference ${parity.max_difference.toExponential(1)}, ${parity.labels_differ} labels differ`],
    ["Training data", `${data.source}: ${data.rows.toLocaleString("en")} rows, ${data.positives.toLocaleString("en")} with label 1; SHA-256 ${data.sha256.slice(0, 12)}…`],
    ["Stages", Object.entries(seconds).map(([stage, took]) => `${stage} ${took.toFixed(2)} s`).join(", ")],
    ["Libraries", Object.entries(manifest.libraries).map(([library, version]) => `${library} ${version}`).join(", ")],
  ];
  return element("dl.facts", {}, ...rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

/** Makes the plots of one version, or of two versions side by side. */
async function plots(manifests) {
  const figures = PLOTS.flatMap(([plot, caption, alt]) => manifests.filter((manifest) => `plot-${plot}.svg` in manifest.files).map(async (manifest) =>
    element("figure", {},
      await image(`/models/${manifest.model_version}/plots/${plot}`, `${alt}, for version ${manifest.model_version}`),
      element("figcaption", {}, caption, manifests.length > 1 ? element("small", {}, manifest.model_version) : null))));
  if (figures.length === 0) return element("p.hint", {}, "This version has no plots: it was made before Lifeboat drew any.");
  return element("div", { class: manifests.length > 1 ? "plots pairs" : "plots" }, ...(await Promise.all(figures)));
}

/** Makes an image of a drawing that may need the API key, which an address in an image cannot carry. */
async function image(path, alt) {
  try {
    const drawing = await (await request("GET", path)).text();
    return element("img", { src: `data:image/svg+xml,${encodeURIComponent(drawing)}`, alt, width: 360, height: 300 });
  } catch (refusal) {
    return notice(`The plot cannot be shown: ${refusal.message}.`, "bad");
  }
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
