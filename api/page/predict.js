// The section Predict: a form made from the schema of the served version, its answer, and a file of records.
import { fits, told } from "./answer.js";
import { batch } from "./batch.js";
import { call } from "./calls.js";
import { element, notice } from "./elements.js";
import { boundsOf, forget, isSame, recordSchema } from "./schema.js";
import { onChange } from "./served.js";
import { value } from "./value.js";

const MARKED = "Not predicted: see the fields that are marked.";
const AGAIN_MS = 3000;

export async function show(section) {
  let schema = await recordSchema();
  let parts = draw(section, schema);
  let looks = 0;
  const renew = async (isFirst) => {
    const mine = (looks += 1);
    const next = await recordSchema().catch(() => undefined);
    if (mine !== looks) return;
    // Once more: the API may have been away, or another of its processes have answered, which had not swapped yet.
    if (isFirst || next === undefined)
      setTimeout(() => {
        if (mine !== looks) return;
        forget();
        renew(false);
      }, AGAIN_MS);
    if (next === undefined || isSame(next, schema)) return;
    const typed = parts === null ? new Map() : parts.typed();
    const other = schema !== null && next !== null;
    // What was predicted of a file can still be downloaded.
    const kept = parts?.outcome;
    schema = next;
    parts = draw(section, schema, typed, kept);
    if (other) parts.answer.replaceChildren(notice(`The served version takes other records or predicts something else than the one before: the form shows what it takes. It predicts ${schema.target}.`));
  };
  onChange(() => renew(true));
}

/** Draws the section; returns what lasts when another schema comes. */
function draw(section, schema, typed = new Map(), outcome = element("div", { "aria-live": "polite" })) {
  if (schema === null) {
    section.replaceChildren(element("h1", {}, "Predict"),
      notice("There is no model yet, so nothing can be predicted. The form appears here when the first version is served."),
      element("p", {}, element("a", { href: "#train" }, "See how far the first run is")));
    return null;
  }
  const answer = element("div.answer", { "aria-live": "polite" },
    element("p.hint", {}, `The answer appears here: ${schema.target}${schema.kind === "regression" ? "" : ", its probability"} and the version that gave it.`));
  const inputs = new Map(schema.fields.map((field) => [field.name, input(field, typed.get(field.name) ?? "")]));
  section.replaceChildren(
    element("h1", {}, "Predict"),
    element("div.columns", {},
      element("div.card", {}, element("h2", {}, "One record"), recordForm(schema, inputs, answer)),
      element("div.card", {}, element("h2", {}, "Answer"), answer)),
    batch(schema, outcome));
  return { answer, outcome, typed: () => new Map([...inputs].map(([name, control]) => [name, control.value])) };
}

function recordForm(schema, inputs, answer) {
  const { fields } = schema;
  const form = element("form", { novalidate: true, "aria-label": "One record" },
    element("div.fields", {}, ...fields.map((field) => labelled(field, inputs.get(field.name)))),
    element("div.buttons", {},
      element("button.primary", { type: "submit" }, "Predict"),
      element("button", { type: "reset" }, "Clear")));
  form.addEventListener("reset", () => say(inputs, new Map()));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { record, errors } = read(fields, inputs);
    if (errors.size > 0) answer.replaceChildren(notice(MARKED, "bad"));
    else {
      try {
        const found = await call("POST", "/predict", { body: [record] });
        // The version may have changed since the form was drawn; then the form is about to be drawn anew.
        if (!isSame(await recordSchema(), schema)) return;
        answer.replaceChildren(...(fits(schema, found) ? told(schema, found) : [notice("The served version has just changed. Ask again.")]));
      } catch (refusal) {
        answer.replaceChildren(notice(ofRefusal(refusal, errors), "bad"));
      }
    }
    if (form.isConnected) say(inputs, errors);
  });
  return form;
}

function input(field, typed) {
  const name = idOf(field.name);
  const attributes = { id: `field-${name}`, name: field.name, "aria-describedby": `hint-${name} error-${name}` };
  if (field.required) attributes["aria-required"] = "true";
  if (field.options === null) {
    // Not type="number": the browser would give text that it cannot read as an empty value.
    const made = element("input", { ...attributes, type: "text", autocomplete: "off", inputmode: field.whole ? "numeric" : field.number ? "decimal" : null });
    made.value = typed;
    return made;
  }
  const nothing = element("option", { value: "" }, field.required ? "Choose" : "Not known");
  const made = element("select", attributes, nothing, ...field.options.map((option) => element("option", { value: option }, option)));
  if (field.options.includes(typed)) made.value = typed;
  return made;
}

/** An id has no blanks, and a field's name may be “fixed acidity”. */
const idOf = (name) => name.replace(/\s+/g, "-");

function labelled(field, control) {
  const hint = [field.description.replace(/\s*Required\.\s*/, ""), field.required ? "Required." : "", boundsOf(field)].filter(Boolean).join(" ");
  return element("div.field", {},
    element("label", { for: control.id }, field.name),
    control,
    element("p.hint", { id: `hint-${idOf(field.name)}` }, hint),
    element("p.error", { id: `error-${idOf(field.name)}` }));
}

function read(fields, inputs) {
  const record = {};
  const errors = new Map();
  for (const field of fields) {
    try {
      const given = value(field, inputs.get(field.name).value);
      if (given !== null) record[field.name] = given;
    } catch (error) {
      errors.set(field.name, error.message);
    }
  }
  return { record, errors };
}

/** Shows each error at its field, and focuses the first of these fields. */
function say(inputs, errors) {
  for (const [name, control] of inputs) {
    document.getElementById(`error-${idOf(name)}`).textContent = errors.get(name) ?? "";
    control.setAttribute("aria-invalid", String(errors.has(name)));
  }
  const first = [...errors.keys()].find((name) => inputs.has(name));
  if (first !== undefined) inputs.get(first).focus();
}

/** Returns the message for a refusal, and puts messages about single fields into `errors`. */
function ofRefusal(refusal, errors) {
  if (refusal.status !== 422 || !Array.isArray(refusal.detail)) return `Not predicted: ${refusal.message}.`;
  for (const { loc, words } of refusal.detail) errors.set(String(loc.at(-1)), words);
  return MARKED;
}
