// A file of records: predicts it in pieces, shows the result, and offers the file with the predictions added.
import { call } from "./calls.js";
import { format, parse } from "./csv.js";
import { element, notice, table } from "./elements.js";
import { value } from "./schema.js";
import { decode } from "./text.js";

const ROWS_PER_REQUEST = 1000;
const ROWS_SHOWN = 100;
const PROBLEMS_SHOWN = 20;
const ENCODINGS = { "windows-1252": "Windows-1252 (what Excel writes as “CSV”)", "utf-16le": "UTF-16", "utf-16be": "UTF-16" };
const ADDED = ["prediction", "probability", "model_version"];

export function batch({ fields, label }) {
  const outcome = element("div", { "aria-live": "polite" });
  const file = element("input", { type: "file", id: "csv-file", accept: ".csv,text/csv", "aria-describedby": "csv-hint" });
  const required = fields.filter((field) => field.required).map((field) => field.name);
  const zone = element("div.drop", {},
    element("label", { for: "csv-file" }, "Choose a CSV file, or drop one here"),
    file,
    element("p.hint", { id: "csv-hint" },
      `The first line names the columns. Required: ${required.join(", ")}. Optional: `,
      `${fields.filter((field) => !field.required).map((field) => field.name).join(", ")}. Other columns are kept as they are.`));
  let running = new AbortController();
  const start = async (chosen) => {
    running.abort();
    running = new AbortController();
    try {
      await predictFile(chosen, fields, label, outcome, running);
    } catch (error) {
      if (error.name !== "AbortError") outcome.replaceChildren(notice(`${chosen.name}: ${error.message}`, "bad"));
    }
  };
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

async function predictFile(file, fields, label, outcome, running) {
  const { text, encoding, marked } = decode(new Uint8Array(await file.arrayBuffer()));
  const { header, rows } = parse(text);
  const used = fields.filter((field) => header.includes(field.name));
  const missing = fields.filter((field) => field.required && !used.includes(field)).map((field) => field.name);
  if (missing.length > 0) throw new RangeError(`the column ${missing.join(", ")} is missing; the file has ${header.join(", ")}`);
  const { records, problems } = read(header, rows, used);
  const bar = element("progress", { id: "csv-progress", max: rows.length, value: 0 });
  const count = element("span", {});
  const cancel = element("button", { type: "button", onclick: () => running.abort() }, "Cancel");
  const show = (done) => {
    bar.value = done;
    count.textContent = `${done.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  };
  show(0);
  outcome.replaceChildren(element("label.bar-label", { for: "csv-progress" }, `Predicting ${file.name}`, count), bar, element("div.buttons", {}, cancel));
  const predicted = new Map();
  try {
    let left = records;
    let most = ROWS_PER_REQUEST;
    while (left.length > 0) {
      const piece = left.slice(0, most);
      try {
        await predictPiece(piece, predicted, problems, running.signal);
      } catch (refusal) {
        if (refusal.status !== 413 || most === 1) throw refusal;
        most = Math.ceil(most / 2);
        continue;
      }
      left = left.slice(piece.length);
      show(rows.length - left.length);
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    outcome.replaceChildren(notice(`Cancelled; ${predicted.size.toLocaleString("en")} rows had been predicted.`));
    return;
  }
  const ignored = header.filter((name) => !used.some((field) => field.name === name));
  const absent = fields.filter((field) => !used.includes(field)).map((field) => field.name);
  outcome.replaceChildren(...told({ file, encoding, marked, header, rows, label, predicted, problems, ignored, absent }));
}

/** Returns the records that can be sent, and what is wrong with the other rows. */
function read(header, rows, used) {
  const problems = new Map();
  const records = [];
  rows.forEach(({ line, cells }, at) => {
    const record = {};
    for (const field of used) {
      try {
        const given = value(field, cells[header.indexOf(field.name)] ?? "");
        if (given !== null) record[field.name] = given;
      } catch (error) {
        problems.set(at, `line ${line}, ${field.name}: ${error.message}`);
      }
    }
    if (!problems.has(at)) records.push({ at, line, record });
  });
  return { records, problems };
}

/** Predicts some rows; a row that the API refuses becomes a problem, and the others are sent again. */
async function predictPiece(piece, predicted, problems, signal) {
  let asked = piece;
  while (asked.length > 0) {
    try {
      const { predictions, probabilities, model_version } = await call("POST", "/predict", { body: asked.map(({ record }) => record), signal });
      asked.forEach(({ at }, index) => predicted.set(at, [predictions[index], probabilities[index], model_version]));
      return;
    } catch (refusal) {
      if (refusal.status === 503) await pause(refusal.retryAfter, signal);
      else if (refusal.status === 422 && refusal.detail.every?.(({ loc }) => Number.isInteger(loc[1]))) {
        for (const { loc, msg } of refusal.detail) {
          const { at, line } = asked[loc[1]];
          problems.set(at, `line ${line}, ${loc.slice(2).join(".")}: ${msg}`);
        }
        asked = asked.filter(({ at }) => !problems.has(at));
      } else throw refusal;
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function told({ file, encoding, marked, header, rows, label, predicted, problems, ignored, absent }) {
  const answers = [...predicted.values()];
  const ones = answers.filter(([prediction]) => prediction === 1).length;
  const versions = [...new Set(answers.map(([, , version]) => version))];
  const number = (count) => count.toLocaleString("en");
  const parts = [
    element("p.verdict", {}, `${number(predicted.size)} of ${number(rows.length)} rows predicted: `,
      element("strong", {}, `${number(ones)} × ${label} = 1`), `, ${number(predicted.size - ones)} × 0`),
  ];
  if (encoding !== "utf-8") parts.push(notice(`The file is not in UTF-8; it was read as ${ENCODINGS[encoding]}. The file with the predictions is in UTF-8. If names look wrong, save the file as UTF-8 and choose it again.`));
  if (ignored.length > 0) parts.push(notice(`Columns that the model does not use: ${ignored.join(", ")}.`));
  if (absent.length > 0) parts.push(notice(`Columns that the file does not have; their values count as not known: ${absent.join(", ")}.`));
  if (versions.length > 1) parts.push(notice(`The served version changed meanwhile; the rows were answered by ${versions.join(", ")}.`));
  if (problems.size > 0) {
    const shown = [...problems].sort(([one], [other]) => one - other).slice(0, PROBLEMS_SHOWN);
    parts.push(notice(`${number(problems.size)} rows were left out:`, "bad"),
      element("ul.problems", {}, ...shown.map(([, problem]) => element("li", {}, problem)),
        problems.size > shown.length ? element("li", {}, `and ${number(problems.size - shown.length)} more`) : null));
  }
  const records = rows.map(({ cells }, at) => [...header.map((_, column) => cells[column] ?? ""), ...(predicted.get(at) ?? ["", "", ""])]);
  // Excel takes a file without the mark for Windows-1252, and shows MÃ¼ller for Müller.
  const mark = marked || encoding !== "utf-8" ? "\uFEFF" : "";
  const blob = new Blob([mark, format([[...header, ...ADDED], ...records])], { type: "text/csv" });
  const name = `${file.name.replace(/\.csv$/i, "")}-predicted.csv`;
  parts.push(
    element("div.buttons", {}, element("a.button.primary", { href: URL.createObjectURL(blob), download: name }, `Download ${name}`)),
    table(rows.length > ROWS_SHOWN ? `The first ${ROWS_SHOWN} rows` : "All rows", [...ADDED.slice(0, 2), ...header],
      records.slice(0, ROWS_SHOWN).map((cells) => {
        const [prediction, probability] = cells.slice(header.length);
        return element("tr", {}, element("td", {}, prediction),
          element("td", {}, probability === "" ? "" : probability.toFixed(3)),
          ...cells.slice(0, header.length).map((cell) => element("td", {}, cell)));
      })));
  return parts;
}
