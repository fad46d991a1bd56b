// A file of records: predicts it in pieces, waits while the server is away, and shows the result.
import { fits } from "./answer.js";
import { call } from "./calls.js";
import { element, notice } from "./elements.js";
import { outcomeOf } from "./outcome.js";
import { patiently } from "./patience.js";
import { resultsOf, rowOf } from "./results.js";
import { isSame, recordSchema } from "./schema.js";
import { columnsOf, read } from "./sheet.js";
import { decode } from "./text.js";
import { decimalCommas, value } from "./value.js";

const ROWS_PER_REQUEST = 1000;

/** The file that is predicted now; a file that is chosen later ends it. */
let running = new AbortController();

class OtherSchema extends Error {
  constructor() {
    super("the served version now takes other records or predicts something else; choose the file again to predict it with that version");
  }
}

/** @param {import("./schema.js").Schema} schema @param {HTMLElement} outcome where it is told what became of a file; it outlasts a schema */
export function batch(schema, outcome) {
  const { fields } = schema;
  const names = (required) => fields.filter((field) => field.required === required).map((field) => field.name).join(", ") || "none";
  const file = element("input", { type: "file", id: "csv-file", accept: ".csv,.tsv,.txt,text/csv", "aria-describedby": "csv-hint" });
  const zone = element("div.drop", {},
    element("label", { for: "csv-file" }, "Choose a CSV file, or drop one here"),
    file,
    element("p.hint", { id: "csv-hint" },
      `The first line names the columns. Required: ${names(true)}. Optional: ${names(false)}. Other columns are kept as they are.`));
  const begin = () => {
    running.abort();
    running = new AbortController();
    return running;
  };
  const proceed = async (work, mine) => {
    let stopped = null;
    let isOther = false;
    try {
      await predictAll(work, outcome, mine);
    } catch (error) {
      stopped = error.name === "AbortError" ? "Cancelled" : `Stopped, because ${error.message}`;
      isOther = error instanceof OtherSchema;
    }
    // Another file may have been chosen meanwhile.
    if (mine !== running) return;
    const goOn = stopped === null || isOther ? null : element("button", { type: "button", onclick: () => proceed(work, begin()) }, "Go on");
    outcome.replaceChildren(...outcomeOf(work, stopped, goOn));
  };
  const start = async (chosen) => {
    const mine = begin();
    try {
      const work = workOf(chosen.name, schema, new Uint8Array(await chosen.arrayBuffer()));
      if (mine === running) await proceed(work, mine);
    } catch (error) {
      if (mine === running) outcome.replaceChildren(notice(`${chosen.name}: ${error.message}`, "bad"));
    }
  };
  // A file that was corrected is chosen by the same name, and would change nothing.
  file.addEventListener("click", () => (file.value = ""));
  file.addEventListener("change", () => file.files.length > 0 && start(file.files[0]));
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length > 0) start(event.dataTransfer.files[0]);
  });
  return element("div.card", {}, element("h2", {}, "A file of records"), zone, outcome);
}

/**
 * Reads a file; what is left to be predicted, what was predicted, and the faults of rows are filled in later.
 * @returns {import("./outcome.js").Work}
 */
export function workOf(name, schema, bytes) {
  const { fields } = schema;
  const decoded = decode(bytes);
  const sheet = read(decoded.text, fields);
  const columns = columnsOf(sheet, fields);
  const numbers = columns.filter(([, field]) => field.number);
  const hasCommas = decimalCommas(sheet.rows.flatMap(({ line, cells }) => numbers.map(([column]) => ({ line, text: cells[column] }))));
  const faults = new Map();
  const left = [];
  sheet.rows.forEach(({ cells }, at) => {
    const record = {};
    const found = [];
    for (const [column, field] of columns) {
      try {
        const given = value(field, cells[column], hasCommas);
        if (given !== null) record[field.name] = given;
      } catch (error) {
        found.push([field.name, error.message]);
      }
    }
    if (found.length > 0) faults.set(at, found);
    else left.push({ at, record });
  });
  const used = new Set(columns.map(([column]) => column));
  const results = resultsOf(schema);
  const others = sheet.header.filter((_, column) => !used.has(column));
  return {
    name, schema, sheet, hasCommas, faults, left, predicted: new Map(), most: ROWS_PER_REQUEST,
    encoding: decoded.encoding, marked: decoded.marked,
    ignored: others.filter((column) => !results.includes(column)),
    replaced: others.filter((column) => results.includes(column)),
    absent: fields.filter((field) => !columns.some(([, each]) => each === field)).map((field) => field.name),
  };
}

async function predictAll(work, outcome, running) {
  const total = work.sheet.rows.length;
  const bar = element("progress", { id: "csv-progress", max: total, value: 0 });
  const count = element("span", {});
  const waiting = element("div", {});
  const cancel = element("button", { type: "button", onclick: () => running.abort() }, "Cancel");
  const show = () => {
    bar.value = total - work.left.length;
    count.textContent = `${bar.value.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  };
  const waits = (refusal, seconds) => waiting.replaceChildren(...(refusal === null ? [] : [notice(
    `${[0, 502, 504].includes(refusal.status) ? "The server does not answer. It may be restarting" : `The server asks to wait: ${refusal.message}`}. `
    + `The file goes on by itself: the next try is in ${Math.ceil(seconds)} s, and no row is lost.`)]));
  outcome.replaceChildren(element("label.bar-label", { for: "csv-progress" }, `Predicting ${work.name}`, count), bar, waiting, element("div.buttons", {}, cancel));
  show();
  while (work.left.length > 0) {
    const piece = work.left.slice(0, work.most);
    try {
      await predictPiece(piece, work, running.signal, waits);
    } catch (refusal) {
      if (refusal.status !== 413 || work.most === 1) throw refusal;
      work.most = Math.ceil(work.most / 2);
      continue;
    }
    work.left = work.left.slice(piece.length);
    show();
  }
}

/** Predicts some rows; a row that the API refuses is given its faults, and the others are sent again. */
async function predictPiece(piece, work, signal, waits) {
  const { schema, predicted, faults } = work;
  let asked = piece;
  while (asked.length > 0) {
    const body = asked.map(({ record }) => record);
    try {
      const answer = await patiently(() => call("POST", "/predict", { body, signal }), signal, waits);
      if (answer.model_version !== work.version) {
        if (!fits(schema, answer) || !(await isServed(schema))) throw new OtherSchema();
        work.version = answer.model_version;
      }
      asked.forEach(({ at }, index) => predicted.set(at, rowOf(schema, answer, index)));
      return;
    } catch (refusal) {
      // The faults would be those of the other schema.
      if (refusal.status === 422 && !(await isServed(schema))) throw new OtherSchema();
      if (refusal.status !== 422 || !refusal.detail.every?.(({ loc }) => Number.isInteger(loc[1]))) throw refusal;
      const refused = new Map();
      for (const { loc, words } of refusal.detail) refused.set(loc[1], [...(refused.get(loc[1]) ?? []), [loc.slice(2).join("."), words]]);
      // An answer has room for some faults only. Unless it is alone, the last row is asked about again, because it may have more.
      if (refused.size > 1) refused.delete(Math.max(...refused.keys()));
      for (const [index, found] of refused) faults.set(asked[index].at, found);
      asked = asked.filter((_, index) => !refused.has(index));
    }
  }
}

/** Returns whether the served version still has the schema, as far as is known. */
const isServed = async (schema) => isSame(await recordSchema().catch(() => schema), schema);
