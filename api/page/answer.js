// What the model says of one record, in the way of its kind: a label with its probability, a bar for each class, or a number.
import { element } from "./elements.js";

const BARS = 12;

/**
 * @typedef {{predictions: unknown[], probabilities?: (number | number[])[], classes?: unknown[], model_version: string}} Answer
 * @param {import("./schema.js").Schema} schema
 * @param {Answer} answer to one record
 */
export function told({ target, kind, positive }, { predictions: [prediction], probabilities: [probability] = [], classes, model_version }) {
  const by = element("p.hint", {}, "Answered by ", element("a", { href: `#models/${model_version}` }, model_version));
  const verdict = element("p.verdict", {}, `${target}: `, element("strong", {}, kind === "regression" ? number(prediction) : String(prediction)));
  if (kind === "regression") return [verdict, by];
  if (kind === "binary") return [verdict, ...bar("probability", `Probability that ${target} is ${positive}`, probability), by];
  // Most probable first; labels of the same probability stay in their order.
  const ranked = classes.map((label, at) => [String(label), probability[at]]).sort(([, one], [, other]) => other - one);
  const bars = ranked.slice(0, BARS).flatMap(([label, chance], at) => bar(`probability-${at}`, label, chance));
  const rest = ranked.slice(BARS);
  if (rest.length > 0)
    bars.push(element("p.hint", {}, `and ${rest.length} more, together ${percent(rest.reduce((sum, [, chance]) => sum + chance, 0))}`));
  return [verdict, element("p.hint", {}, `Probability of each ${target}`), ...bars, by];
}

/** Returns whether an answer can be one to a schema: a version of another may be served by now. */
export function fits({ kind, classes }, answer) {
  if (kind === "regression" || answer.probabilities === undefined) return kind === "regression" && answer.probabilities === undefined;
  return answer.classes === undefined ? kind === "binary" : JSON.stringify(answer.classes) === JSON.stringify(classes);
}

function bar(id, words, chance) {
  const shown = percent(chance);
  return [
    element("label.bar-label", { for: id }, element("span", {}, words), element("span", {}, shown)),
    element("meter", { id, min: 0, max: 1, value: chance }, shown),
  ];
}

const percent = (chance) => `${(100 * chance).toFixed(1)} %`;

/** Returns a number with the digits that single precision has. */
export function number(found) {
  const size = Math.abs(found);
  return found === 0 || (size >= 1e-4 && size < 1e12) ? found.toLocaleString("en", { maximumSignificantDigits: 7 }) : found.toPrecision(7);
}
