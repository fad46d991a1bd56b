// The columns that the page adds to a file, and what they sum up to, by the kind of model.
import { number } from "./answer.js";

const LABELS = 8;

/** Returns the columns that are added; a regression has no probability. @param {import("./schema.js").Schema} schema */
export const resultsOf = ({ kind }) => (kind === "regression" ? ["prediction", "model_version"] : ["prediction", "probability", "model_version"]);

/** Returns the places of the columns, among those that are added, whose numbers take the decimal sign of the file. */
export const numbersOf = ({ kind }) => (kind === "regression" ? [0] : [1]);

/**
 * Returns the cells of a row. Of two labels the probability is that of the positive one, of more that of the label given.
 * @param {import("./schema.js").Schema} schema
 * @param {import("./answer.js").Answer} answer
 * @param {number} index of the record among those of the request
 */
export function rowOf({ kind, classes }, { predictions, probabilities, model_version }, index) {
  const prediction = predictions[index];
  if (kind === "regression") return [prediction, model_version];
  const found = probabilities[index];
  return [prediction, kind === "binary" ? found : found[classes.indexOf(prediction)], model_version];
}

/** Returns in words what was predicted: the first of them is the most important one. */
export function summary({ target, kind, classes, positive }, rows) {
  if (rows.length === 0) return [];
  const predictions = rows.map(([prediction]) => prediction);
  if (kind === "regression") {
    const mean = predictions.reduce((sum, one) => sum + one, 0) / predictions.length;
    const [least, most] = predictions.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
    return [`${target} is ${number(mean)} on average`, `${number(least)} to ${number(most)}`];
  }
  const counts = new Map(classes.map((label) => [label, 0]));
  for (const prediction of predictions) counts.set(prediction, counts.get(prediction) + 1);
  const ranked = kind === "binary"
    ? [positive, ...classes.filter((label) => label !== positive)].map((label) => [label, counts.get(label)])
    : [...counts].filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
  const words = ranked.slice(0, LABELS).map(([label, count], at) => `${count.toLocaleString("en")} × ${at === 0 ? `${target} = ` : ""}${label}`);
  const rest = ranked.slice(LABELS);
  if (rest.length > 0) words.push(`${rest.reduce((sum, [, count]) => sum + count, 0).toLocaleString("en")} × ${rest.length} other labels`);
  return words;
}
