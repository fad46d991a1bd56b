// The plots of versions, whichever they have.
import { request } from "./calls.js";
import { element, notice } from "./elements.js";
import { nameOf } from "./metrics.js";

/** Name of a plot -> what stands below it, and what those hear who do not see it. */
const PLOTS = {
  roc: () => ["ROC curve", "True-positive rate against false-positive rate, over all thresholds"],
  "precision-recall": () => ["Precision and recall", "Precision against recall, over all thresholds"],
  calibration: ({ schema }) => ["Calibration", `Share of ${schema.target}${schema.kind === "binary" ? ` ${schema.positive}` : ""} against predicted probability`],
  "confusion-matrix": ({ schema }) => ["Confusion matrix", `Rows by their ${schema.target} against the predicted one: ${schema.classes.slice(0, 12).join(", ")}`],
  "prediction-error": ({ schema }) => ["Prediction error", `True ${schema.target} against the predicted one`],
  residuals: ({ schema }) => ["Residuals", `What the prediction of ${schema.target} misses, against the prediction`],
  "permutation-importance": ({ metric }) => ["Permutation importance", `How much worse ${nameOf(metric)} becomes when a field is shuffled`],
};

/** Makes the plots of one version, or of two versions side by side. */
export async function plots(manifests) {
  const rank = Object.keys(PLOTS);
  // A plot of a later release comes last.
  const placeOf = (plot) => (rank.includes(plot) ? rank.indexOf(plot) : rank.length);
  const names = [...new Set(manifests.flatMap(namesOf))].sort((one, other) => placeOf(one) - placeOf(other));
  const figures = names.flatMap((plot) => manifests.map(async (manifest) => {
    if (!namesOf(manifest).includes(plot)) return element("p.hint", {}, `${manifest.model_version} does not have this plot.`);
    const [caption, alt] = PLOTS[plot]?.(manifest) ?? [plot.replaceAll("-", " "), `Plot ${plot}`];
    return element("figure", {},
      await image(`/models/${manifest.model_version}/plots/${plot}`, `${alt}, for version ${manifest.model_version}`),
      element("figcaption", {}, caption, manifests.length > 1 ? element("small", {}, manifest.model_version) : null));
  }));
  if (figures.length === 0) return element("p.hint", {}, "This version has no plots: it was made before Lifeboat drew any.");
  return element("div", { class: manifests.length > 1 ? "plots pairs" : "plots" }, ...(await Promise.all(figures)));
}

const namesOf = ({ files }) => Object.keys(files).map((file) => file.match(/^plot-(.+)\.svg$/)?.[1]).filter(Boolean);

/** Makes an image of a drawing that may need the API key, which an address in an image cannot carry. */
async function image(path, alt) {
  try {
    const drawing = await (await request("GET", path)).text();
    return element("img", { src: `data:image/svg+xml,${encodeURIComponent(drawing)}`, alt, width: 360, height: 300 });
  } catch (refusal) {
    return notice(`The plot cannot be shown: ${refusal.message}.`, "bad");
  }
}
