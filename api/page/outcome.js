// What became of a file of records: what is told of it, and the file with the predictions added.
import { number as precise } from "./answer.js";
import { format } from "./csv.js";
import { element, notice, table } from "./elements.js";
import { numbersOf, resultsOf, summary } from "./results.js";

const ROWS_SHOWN = 100;
const FAULTY_ROWS_SHOWN = 20;
const ENCODINGS = { "windows-1252": "Windows-1252 (what Excel writes as “CSV”)", "utf-16le": "UTF-16", "utf-16be": "UTF-16" };
const SEPARATORS = { ";": "semicolons", "\t": "tabs", "|": "vertical bars" };

/**
 * @typedef {{name: string, schema: import("./schema.js").Schema, version?: string, encoding: string, marked: boolean, sheet: import("./sheet.js").Sheet,
 *   hasCommas: boolean, ignored: string[], replaced: string[], absent: string[], most: number,
 *   left: {at: number, record: object}[], faults: Map<number, [string, string][]>, predicted: Map<number, unknown[]>}} Work
 *   `at`, and the keys of both maps: the place among the sheet's rows; `most`: rows that are sent at once; `version`: that
 *   answered last; `predicted`: the cells that are added to a row
 * @param {Work} work
 * @param {string | null} stopped why rows are left; null if none are
 * @param {HTMLElement | null} goOn
 */
export function outcomeOf(work, stopped, goOn) {
  const { sheet, schema, faults, predicted } = work;
  const answers = [...predicted.values()];
  const versions = [...new Set(answers.map((cells) => cells.at(-1)))];
  const parts = [];
  if (stopped !== null) parts.push(notice(`${stopped}; ${number(predicted.size)} rows had been predicted.`, stopped === "Cancelled" ? "" : "bad"));
  if (stopped === null || predicted.size > 0) {
    const [first, ...more] = summary(schema, answers);
    parts.push(element("p.verdict", {}, `${number(predicted.size)} of ${number(sheet.rows.length)} rows predicted`,
      ...(first === undefined ? [] : [": ", element("strong", {}, first), ...more.map((words) => `, ${words}`)])));
  }
  const told = [
    readAs(work),
    work.replaced.length > 0 && `Columns of an earlier result, which are replaced: ${work.replaced.join(", ")}.`,
    work.ignored.length > 0 && `Columns that the model does not use: ${[...new Set(work.ignored)].map((name) => name || "one without a name").join(", ")}.`,
    work.absent.length > 0 && `Columns that the file does not have; their values count as not known: ${work.absent.join(", ")}.`,
    versions.length > 1 && `The served version changed meanwhile; the rows were answered by ${versions.join(", ")}.`,
  ];
  const sentences = told.filter(Boolean);
  if (sentences.length > 0) parts.push(element("div.notice", { role: "status" }, ...sentences.map((text) => element("p", {}, text))));
  if (faults.size > 0) parts.push(...faultsOf(sheet, faults));
  const buttons = [goOn];
  if (stopped === null || predicted.size > 0) {
    const rows = rowsOf(work);
    const name = nameOf(work.name);
    buttons.unshift(element("a.button.primary", { href: URL.createObjectURL(blobOf(work, rows)), download: name }, `Download ${name}`));
    parts.push(buttonsOf(buttons), tableOf(rows, schema));
  } else parts.push(buttonsOf(buttons));
  return parts;
}

const number = (count) => count.toLocaleString("en");
const buttonsOf = (buttons) => element("div.buttons", {}, ...buttons);

function readAs({ encoding, sheet, hasCommas }) {
  const found = [
    encoding !== "utf-8" && ENCODINGS[encoding],
    sheet.separator !== "," && `separated by ${SEPARATORS[sheet.separator] ?? `“${sheet.separator}”`}`,
    hasCommas && "with decimal commas",
  ].filter(Boolean);
  if (found.length === 0) return "";
  const other = encoding === "utf-8" ? "" : " The file with the predictions is in UTF-8. If names look wrong here, save the file as UTF-8 and choose it again.";
  return `The file was read as ${found.join(", ").replace(/^separated|^with/, (word) => `a table ${word}`)}.${other}`;
}

function faultsOf({ rows }, faults) {
  const shown = [...faults].sort(([one], [other]) => one - other).slice(0, FAULTY_ROWS_SHOWN);
  const more = faults.size - shown.length;
  return [
    notice(`${number(faults.size)} ${faults.size === 1 ? "row was" : "rows were"} left out:`, "bad"),
    element("ul.problems", {},
      ...shown.flatMap(([at, found]) => found.map(([field, words]) => element("li", {}, `line ${number(rows[at].line)}, ${field}: ${words}`))),
      more > 0 ? element("li", {}, `and ${number(more)} more ${more === 1 ? "row" : "rows"}`) : null),
  ];
}

/** Returns the header and the rows of the file, the results at the end of each. */
function rowsOf({ sheet, schema, replaced, predicted }) {
  const results = resultsOf(schema);
  const nothing = results.map(() => "");
  const kept = sheet.header.map((name, at) => [name, at]).filter(([name]) => !replaced.includes(name));
  const rows = sheet.rows.map(({ cells }, at) => [...kept.map(([, column]) => cells[column]), ...(predicted.get(at) ?? nothing)]);
  return [[...kept.map(([name]) => name), ...results], ...rows];
}

function blobOf({ sheet, schema, hasCommas, encoding, marked }, rows) {
  const isUtf8 = encoding === "utf-8";
  // Excel takes UTF-8 without the mark for Windows-1252, also after a line sep=.
  const start = (marked || !isUtf8 ? "\uFEFF" : "") + (isUtf8 ? sheet.separatorLine : "");
  const numbers = new Set(numbersOf(schema).map((place) => rows[0].length - resultsOf(schema).length + place));
  const written = hasCommas ? rows.map((cells) => cells.map((cell, at) => (numbers.has(at) ? String(cell).replace(".", ",") : cell))) : rows;
  return new Blob([start, format(written, sheet.separator)], { type: "text/csv" });
}

/** Returns the name of the file with the predictions. */
function nameOf(name) {
  const [, stem, extension = ".csv"] = name.match(/^(.*?)(\.(?:csv|tsv|tab|txt))?$/is);
  return `${stem.replace(/-predicted$/, "")}-predicted${extension}`;
}

function tableOf([header, ...rows], schema) {
  const results = resultsOf(schema);
  const last = header.length - results.length;
  const added = results.slice(0, -1);
  const shown = rows.slice(0, ROWS_SHOWN).map((cells) => {
    const found = cells.slice(last, -1).map((cell, at) => (typeof cell !== "number" ? String(cell) : added[at] === "probability" ? cell.toFixed(3) : schema.kind === "regression" ? precise(cell) : String(cell)));
    return element("tr", {}, ...[...found, ...cells.slice(0, last)].map((cell) => element("td", {}, cell)));
  });
  const meant = schema.kind === "binary" ? `; probability: that ${schema.target} is ${schema.positive}` : schema.kind === "multiclass" ? "; probability: that of the label predicted" : "";
  return table(`${rows.length > ROWS_SHOWN ? `The first ${ROWS_SHOWN} rows` : "All rows"}${meant}`, [...added, ...header.slice(0, last)], shown);
}
