// The section Predict: a form made from the schema, its answer, and a file of records.
import { batch } from "./batch.js";
import { call } from "./calls.js";
import { element, notice } from "./elements.js";
import { boundsOf, recordSchema } from "./schema.js";
import { value } from "./value.js";

const MARKED = "Not predicted: see the fields that are marked.";

export async function show(section) {
  const schema = await recordSchema();
  const answer = element("div.answer", { "aria-live": "polite" },
    element("p.hint", {}, "The answer appears here, with its probability and the version that gave it."));
  section.replaceChildren(
    element("h1", {}, "Predict"),
    element("div.columns", {},
      element("div.card", {}, element("h2", {}, "One record"), recordForm(schema, answer)),
      element("div.card", {}, element("h2", {}, "Answer"), answer)),
    batch(schema));
}

function recordForm({ fields, label }, answer) {
  const inputs = new Map(fields.map((field) => [field.name, input(field)]));
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
        const { predictions, probabilities, model_version } = await call("POST", "/predict", { body: [record] });
        answer.replaceChildren(...told(label, predictions[0], probabilities[0], model_version));
      } catch (refusal) {
        answer.replaceChildren(notice(ofRefusal(refusal, errors), "bad"));
      }
    }
    say(inputs, errors);
  });
  return form;
}

function input(field) {
  const name = idOf(field.name);
  const attributes = { id: `field-${name}`, name: field.name, "aria-describedby": `hint-${name} error-${name}` };
  if (field.required) attributes["aria-required"] = "true";
  if (field.options === null)
    // Not type="number": the browser would give text that it cannot read as an empty value.
    return element("input", { ...attributes, type: "text", autocomplete: "off", inputmode: field.whole ? "numeric" : field.number ? "decimal" : null });
  const nothing = element("option", { value: "" }, field.required ? "Choose" : "Not known");
  return element("select", attributes, nothing, ...field.options.map((option) => element("option", { value: option }, option)));
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

function told(label, prediction, probability, version) {
  const percent = `${(100 * probability).toFixed(1)} %`;
  return [
    element("p.verdict", {}, `${label}: `, element("strong", {}, prediction === 1 ? "yes" : "no")),
    element("label.bar-label", { for: "probability" }, `Probability that ${label} is 1`, element("span", {}, percent)),
    element("meter", { id: "probability", min: 0, max: 1, value: probability }, percent),
    element("p.hint", {}, "Answered by ", element("a", { href: `#models/${version}` }, version)),
  ];
}
