// A table of records, from the text of its file: finds the separator and the header, and refuses what would put a cell under the wrong name.
import { parse } from "./csv.js";

const SEPARATORS = [",", ";", "\t", "|"];
/** Rows in which the separator and the header are looked for. */
const SAMPLE = 20;
/** The first line by which a file can tell Excel its separator. */
const SEPARATOR_LINE = /^"?sep=([^"\r\n])"?[ \t]*(\r\n|\r|\n|$)/i;

/**
 * @typedef {{separator: string, header: string[], names: string[], rows: {line: number, cells: string[]}[], separatorLine: string}} Sheet
 *   `names`: the header, with each letter and blank in one form; `cells`: as many as the header has; `separatorLine`: the line
 *   that names the separator, or an empty text
 * @param {string} text
 * @param {import("./schema.js").Field[]} fields
 * @returns {Sheet}
 * @throws {RangeError} if there is no header, a column is missing or named twice, or a row is longer than the header
 */
export function read(text, fields) {
  const [separatorLine, named] = text.match(SEPARATOR_LINE) ?? ["", null];
  const begun = separatorLine === "" ? 1 : 2;
  const content = text.slice(separatorLine.length);
  const separator = named ?? separatorOf(content, begun, fields);
  const [first, ...rows] = [...parse(content, separator, begun)].filter(({ cells }) => !cells.every(isBlank));
  if (first === undefined) throw new RangeError("the file is empty; its first line must name the columns");
  const header = first.cells.map((name) => name.trim());
  const names = header.map(nameOf);
  check(names, rows, fields);
  const width = 1 + header.findLastIndex((name, at) => name !== "" || rows.some(({ cells }) => !isBlank(cells[at] ?? "")));
  const long = rows.find(({ cells }) => !cells.slice(header.length).every(isBlank));
  if (long !== undefined)
    throw new RangeError(`line ${long.line}: expected ${header.length} cells as in the header, got ${long.cells.length}; put a cell that contains ${inWords(separator)} in quotation marks`);
  if (rows.length === 0) throw new RangeError("the file has a header and no rows; each line after the header is a record");
  const even = (cells) => Array.from({ length: width }, (_, at) => cells[at] ?? "");
  return { separator, separatorLine, header: header.slice(0, width), names: names.slice(0, width), rows: rows.map(({ line, cells }) => ({ line, cells: even(cells) })) };
}

const inWords = (separator) => (separator === "," ? "a comma, also a decimal comma," : separator === "\t" ? "a tab" : `“${separator}”`);

const isBlank = (cell) => cell.trim() === "";

/** Returns the name that a cell of the header gives: é is one letter or two, and a no-break space is a blank. */
const nameOf = (cell) => cell.normalize("NFC").replaceAll("\u00a0", " ").trim();

/** Returns how many of the fields a row names. */
const known = (cells, fields) => fields.filter(({ name }) => cells.some((cell) => nameOf(cell) === nameOf(name))).length;

/** Returns the separator with which a row names most fields, and the rows have most cells and are alike. */
function separatorOf(text, line, fields) {
  const found = SEPARATORS.map((separator) => {
    const rows = sample(text, separator, line);
    const width = rows[0]?.length ?? 0;
    return [Math.max(0, ...rows.map((cells) => known(cells, fields))), width > 1 ? rows.filter((cells) => cells.length === width).length : 0, width, separator];
  });
  found.sort((one, other) => other[0] - one[0] || other[1] - one[1] || other[2] - one[2]);
  return found[0].at(-1);
}

function sample(text, separator, line) {
  const rows = [];
  try {
    for (const { cells } of parse(text, separator, line)) {
      if (!cells.every(isBlank)) rows.push(cells);
      if (rows.length === SAMPLE) break;
    }
  } catch {
    // With the separator that is chosen, the whole text is read again, and the error is told.
  }
  return rows;
}

function check(names, rows, fields) {
  const better = rows.slice(0, SAMPLE).find(({ cells }) => known(cells, fields) > known(names, fields));
  if (better !== undefined)
    throw new RangeError(`expected the names of the columns in the first line, got a title there and the names in line ${better.line}; remove what is above line ${better.line}`);
  const missing = fields.filter((field) => field.required && !names.includes(nameOf(field.name))).map(({ name }) => name);
  if (missing.length > 0)
    throw new RangeError(`the column${missing.length > 1 ? "s" : ""} ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing; the file has ${names.join(", ").slice(0, 300)}`);
  const twice = fields.find((field) => names.indexOf(nameOf(field.name)) !== names.lastIndexOf(nameOf(field.name)));
  if (twice !== undefined) throw new RangeError(`the header names the column ${twice.name} twice; rename or remove one`);
}

/** Returns the field of each column that the record has, by the column's place. */
export function columnsOf({ names }, fields) {
  const fieldOf = new Map(fields.map((field) => [nameOf(field.name), field]));
  return names.map((name, column) => [column, fieldOf.get(name)]).filter(([, field]) => field !== undefined);
}
