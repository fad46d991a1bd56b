// A file of records: predicts it in pieces, waits while the server is away, and shows the result.
import { call } from "./calls.js";
import { element, notice } from "./elements.js";
import { outcomeOf, RESULTS } from "./outcome.js";
import { patiently } from "./patience.js";
import { columnsOf, read } from "./sheet.js";
import { decode } from "./text.js";
import { decimalCommas, value } from "./value.js";

const ROWS_PER_REQUEST = 1000;

export function batch({ fields, label }) {
  const outcome = element("div", { "aria-live": "polite" });
  const names = (required) => fields.filter((field) => field.required === required).map((field) => field.name).join(", ") || "none";
  const file = element("input", { type: "file", id: "csv-file", accept: ".csv,.tsv,.txt,text/csv", "aria-describedby": "csv-hint" });
  const zone = element("div.drop", {},
    element("label", { for: "csv-file" }, "Choose a CSV file, or drop one here"),
    file,
    element("p.hint", { id: "csv-hint" },
      `The first line names the columns. Required: ${names(true)}. Optional: ${names(false)}. Other columns are kept as they are.`));
  let running = new AbortController();
  const begin = () => {
    running.abort();
    running = new AbortController();
    return running;
  };
  const proceed = async (work, mine) => {
    let stopped = null;
    try {
      await predictAll(work, outcome, mine);
    } catch (error) {
      stopped = error.name === "AbortError" ? "Cancelled" : `Stopped, because ${error.message}`;
    }
    // Another file may have been chosen meanwhile.
    if (mine !== running) return;
    const goOn = stopped === null ? null : element("button", { type: "button", onclick: () => proceed(work, begin()) }, "Go on");
    outcome.replaceChildren(...outcomeOf(work, stopped, goOn));
  };
  const start = async (chosen) => {
    const mine = begin();
    try {
      const work = workOf(chosen.name, label, new Uint8Array(await chosen.arrayBuffer()), fields);
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
export function workOf(name, label, bytes, fields) {
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
  const others = sheet.header.filter((_, column) => !used.has(column));
  return {
    name, label, sheet, hasCommas, faults, left, predicted: new Map(), most: ROWS_PER_REQUEST,
    encoding: decoded.encoding, marked: decoded.marked,
    ignored: others.filter((column) => !RESULTS.includes(column)),
    replaced: others.filter((column) => RESULTS.includes(column)),
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
async function predictPiece(piece, { predicted, faults }, signal, waits) {
  let asked = piece;
  while (asked.length > 0) {
    const body = asked.map(({ record }) => record);
    try {
      const { predictions, probabilities, model_version } = await patiently(() => call("POST", "/predict", { body, signal }), signal, waits);
      asked.forEach(({ at }, index) => predicted.set(at, [predictions[index], probabilities[index], model_version]));
      return;
    } catch (refusal) {
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
