// The metrics of versions, and the comparison of two versions.
import { element, table } from "./elements.js";

/** Name in a manifest, name on the page, whether a higher value is better. */
export const METRICS = [
  ["roc_auc", "ROC AUC", true],
  ["accuracy", "Accuracy", true],
  ["log_loss", "Log loss", false],
  ["brier_score", "Brier score", false],
];

export function score({ mean, std }) {
  return element("span.score", {}, mean.toFixed(4), element("small", {}, ` ± ${std.toFixed(4)}`));
}

/** @param {[string, Metrics]} one @param {[string, Metrics]} other name and metrics; a difference is the first version's value less the other's */
export function comparison([name, metrics], [otherName, otherMetrics]) {
  const rows = METRICS.map(([key, label, more]) => {
    const difference = metrics[key].mean - otherMetrics[key].mean;
    const better = more ? difference > 0 : difference < 0;
    const words = Math.abs(difference) < 5e-5 ? "the same" : better ? "better" : "worse";
    return element("tr", {}, element("th", { scope: "row" }, label),
      element("td", {}, score(metrics[key])), element("td", {}, score(otherMetrics[key])),
      element("td", { class: `difference ${words.replace(" ", "-")}` }, `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(4)} `, element("small", {}, words)));
  });
  return table(`${name} against ${otherName}: mean ± spread over the folds`, ["Metric", name, otherName, "Difference"], rows);
}
