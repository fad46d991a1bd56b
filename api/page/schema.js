// What the model is asked, as the API's own OpenAPI document says: nothing here knows the fields.
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

/** The stages of a run, in their order. */
export async function stages() {
  return (await openapi()).components.schemas.Stage.enum;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The value of a field that was typed, or stands in a cell.
 * @returns {string | number | null} null where it is empty
 * @throws {RangeError} it is no number; what a number may be, the API says
 */
export function value(field, text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (!field.number) return trimmed;
  if (!NUMBER.test(trimmed)) throw new RangeError(`“${trimmed.slice(0, 40)}” is no number`);
  return Number(trimmed);
}
