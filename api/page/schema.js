// The fields of a record, what is predicted of it, and the stages of a run, read from the API's OpenAPI document: the page itself names no field.
import { call } from "./calls.js";
import { onChange } from "./served.js";

let loading;

/** Loads the document once for each served version. After a failure, the next call loads it again. */
function openapi() {
  if (loading === undefined) {
    const mine = call("GET", "/openapi.json").catch((error) => {
      if (loading === mine) loading = undefined;
      throw new Error(`/openapi.json did not load (${error.message})`);
    });
    loading = mine;
  }
  return loading;
}

/** Has the next call load the document anew. */
export const forget = () => (loading = undefined);

onChange(forget);

/**
 * @typedef {{name: string, number: boolean, whole: boolean, options: string[] | null, minimum?: number, above?: number,
 *   maximum?: number, below?: number, step?: number, description: string, required: boolean}} Field
 *   `above` and `below`: bounds that the value itself may not have
 * @typedef {boolean | number | string} Label
 * @typedef {{fields: Field[], target: string, kind: "binary" | "multiclass" | "regression", classes: Label[], positive: Label | null}} Schema
 *   `target`: the name of what is predicted; `classes`: the labels, in the order of their probabilities; `positive`: of two
 *   labels, the one whose probability is answered
 * @returns {Promise<Schema | null>} null as long as there is no model
 */
export async function recordSchema() {
  const operation = (await openapi()).paths["/predict"].post;
  const kind = operation["x-kind"];
  if (kind === undefined) return null;
  return {
    fields: fieldsOf(operation.requestBody.content["application/json"].schema.items),
    target: operation["x-label"], kind, classes: operation["x-classes"], positive: operation["x-positive"] ?? null,
  };
}

/** Returns whether two schemas take the same records and predict the same of them. */
export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Returns the fields of a record, from its JSON schema. */
export function fieldsOf(record) {
  return Object.entries(record.properties).map(([name, property]) => {
    const kind = (property.anyOf ?? [property]).find((one) => one.type !== "null");
    return {
      name,
      number: kind.type === "number" || kind.type === "integer",
      whole: kind.type === "integer" || kind.multipleOf === 1,
      options: kind.enum ?? ("const" in kind ? [kind.const] : null),
      minimum: kind.minimum,
      above: kind.exclusiveMinimum,
      maximum: kind.maximum,
      below: kind.exclusiveMaximum,
      step: kind.multipleOf,
      description: kind.description ?? property.description ?? "",
      required: (record.required ?? []).includes(name),
    };
  });
}

/** Returns in words which numbers a field may have; an empty text if it may have any, or is not a number. */
export function boundsOf({ whole, minimum, above, maximum, below, step }) {
  const range = minimum !== undefined && maximum !== undefined && above === undefined && below === undefined
    ? `${shown(minimum)} to ${shown(maximum)}`
    : [["at least", minimum], ["more than", above], ["at most", maximum], ["less than", below]]
      .filter(([, bound]) => bound !== undefined).map(([words, bound]) => `${words} ${shown(bound)}`).join(" and ");
  const kind = whole ? "whole number" : step !== undefined ? `multiple of ${shown(step)}` : "";
  const words = [kind, range].filter(Boolean).join(", ");
  return words.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}

/** Returns a number with every digit that it has. */
function shown(number) {
  const size = Math.abs(number);
  return number === 0 || (size >= 1e-6 && size < 1e15) ? number.toLocaleString("en", { maximumFractionDigits: 20 }) : String(number);
}

/** Returns the stages of a run, in order. */
export async function stages() {
  return (await openapi()).components.schemas.Stage.enum;
}
