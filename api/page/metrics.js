// The metrics of versions, whichever they have, and the comparison of two versions.
import { element, table } from "./elements.js";

/** Names that people use. Any other metric has the name that scikit-learn gives it. */
const WORDS = {
  roc_auc: "ROC AUC", average_precision: "Average precision", brier_score: "Brier score",
  f1: "F1", f1_macro: "Macro F1", f1_weighted: "Weighted F1", r2: "R²", rmse: "RMSE", mae: "MAE", root_mean_squared_error: "RMSE", mean_absolute_error: "MAE",
};
/** The endings of the names of what scikit-learn counts as a loss. */
const LOSS = /(^|_)(error|loss|deviance|brier_score|rmse|mae)$/;

export function nameOf(metric) {
  const words = WORDS[metric] ?? metric.replaceAll("_", " ");
  return words.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}

/** Returns whether a higher value is better. Of the metric that is compared, a version says so itself. */
export function isHigherBetter(metric, versions) {
  const found = versions.find((version) => version.metric === metric && version.higher_is_better !== undefined);
  return found === undefined ? !LOSS.test(metric) : found.higher_is_better;
}

/** Returns the metrics that any of the versions has: those of the first version in its order, then what others have beside them. */
export function metricsOf(versions) {
  return [...new Set(versions.flatMap((version) => [version.metric, ...Object.keys(version.metrics)].filter((metric) => metric in version.metrics)))]
    .sort((one, other) => placeOf(one, versions) - placeOf(other, versions));
}

/** Returns how far behind a metric stands; the names of a version are in an order of their own. */
function placeOf(metric, versions) {
  const at = versions.findIndex((version) => metric in version.metrics);
  return 1000 * at + Object.keys(versions[at].metrics).indexOf(metric);
}

/** Returns a heading that says which way is better, and whether the gate compares by the metric. */
export function heading(metric, versions) {
  const compared = versions[0]?.metric === metric;
  return element("span", {}, nameOf(metric),
    element("small.way", {}, `${isHigherBetter(metric, versions) ? "higher" : "lower"} is better${compared ? "; the gate compares by it" : ""}`));
}

/** Returns a number with four decimals, or with six digits if that is shorter: an error has the unit of what is predicted. */
export function shown(value) {
  const size = Math.abs(value);
  if (size < 100 && (size >= 0.001 || size === 0)) return value.toFixed(4);
  return size >= 1e9 || size < 0.001 ? value.toExponential(3) : value.toLocaleString("en", { maximumSignificantDigits: 6 });
}

export function score(found) {
  if (found === undefined) return element("span", { title: "This version does not have the metric." }, "–");
  return element("span.score", {}, shown(found.mean), element("small", {}, ` ± ${shown(found.std)}`));
}

/**
 * @typedef {{metric: string, higher_is_better?: boolean, metrics: Record<string, {mean: number, std: number}>}} Scored a manifest, or a version of the list
 * @param {[string, Scored]} one @param {[string, Scored]} other name and version; a difference is the first version's value less the other's
 */
export function comparison([name, version], [otherName, other]) {
  const versions = [version, other];
  const rows = metricsOf(versions).map((metric) => {
    const [mine, theirs] = versions.map(({ metrics }) => metrics[metric]);
    return element("tr", {}, element("th", { scope: "row" }, heading(metric, versions)),
      element("td", {}, score(mine)), element("td", {}, score(theirs)), difference(mine, theirs, isHigherBetter(metric, versions)));
  });
  return table(`${name} against ${otherName}: mean ± spread over the folds`, ["Metric", name, otherName, "Difference"], rows);
}

function difference(mine, theirs, more) {
  if (mine === undefined || theirs === undefined) return element("td", {}, "not comparable");
  const value = mine.mean - theirs.mean;
  // What is shown of the two means, is shown of their difference.
  const isSame = shown(mine.mean) === shown(theirs.mean) || Math.abs(value) < 5e-5 * Math.min(1, Math.abs(mine.mean));
  const words = isSame ? "the same" : (value > 0) === more ? "better" : "worse";
  const size = isSame ? "0" : shown(Math.abs(value));
  return element("td", { class: `difference ${words.replace(" ", "-")}` }, `${isSame ? "" : value < 0 ? "−" : "+"}${size} `, element("small", {}, words));
}
