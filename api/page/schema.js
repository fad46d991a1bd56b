// The fields of a record and the stages of a run, read from the API's OpenAPI document: the page itself names no field.
import { call } from "./calls.js";

let loading;

/** Loads the document once. After a failure, the next call loads it again. */
function openapi() {
  loading ??= call("GET", "/openapi.json").catch((error) => {
    loading = undefined;
    throw new Error(`/openapi.json did not load (${error.message})`);
  });
  return loading;
}

/**
 * @typedef {{name: string, number: boolean, whole: boolean, options: string[] | null, minimum?: number,
 *   maximum?: number, description: string, required: boolean}} Field
 * @returns {Promise<{fields: Field[], label: string}>}
 */
export async function recordSchema() {
  const operation = (await openapi()).paths["/predict"].post;
  const record = operation.requestBody.content["application/json"].schema.items;
  const fields = Object.entries(record.properties).map(([name, property]) => {
    const kind = (property.anyOf ?? [property]).find((one) => one.type !== "null");
    return {
      name,
      number: kind.type === "number" || kind.type === "integer",
      whole: kind.type === "integer",
      options: kind.enum ?? null,
      minimum: kind.minimum,
      maximum: kind.maximum,
      description: kind.description ?? property.description ?? "",
      required: (record.required ?? []).includes(name),
    };
  });
  return { fields, label: operation["x-label"] };
}

/** Returns the stages of a run, in order. */
export async function stages() {
  return (await openapi()).components.schemas.Stage.enum;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Returns the value of a field whose text a person typed or a cell has.
 * @returns {string | number | null} null if the text is empty
 * @throws {RangeError} if the text is not a number; the API checks the bounds
 */
export function value(field, text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (!field.number) return trimmed;
  if (!NUMBER.test(trimmed)) throw new RangeError(`expected a number, got “${trimmed.slice(0, 40)}”`);
  return Number(trimmed);
}
