// Reads and writes comma-separated values as RFC 4180 describes them.

/**
 * @param {string} text
 * @returns {{header: string[], rows: {line: number, cells: string[]}[]}} `line`: the line in which the row begins, counted from 1
 * @throws {RangeError} if the header is missing or names a column twice, a row is too long, or a quotation mark is never closed
 */
export function parse(text) {
  const records = [];
  let cells = [], cell = "", quoted = false, line = 1, begun = 1;
  const source = text.replace(/^\uFEFF/, "");
  const end = () => {
    cells.push(cell);
    if (cells.length > 1 || cells[0] !== "") records.push({ line: begun, cells });
    cells = [];
    cell = "";
  };
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at];
    if (character === "\n") line += 1;
    if (quoted) {
      if (character !== '"') cell += character;
      else if (source[at + 1] === '"') cell += source[(at += 1)];
      else quoted = false;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === ",") {
      cells.push(cell);
      cell = "";
    } else if (character === "\n") {
      end();
      begun = line;
    } else if (character !== "\r" || source[at + 1] !== "\n") cell += character;
  }
  if (quoted) throw new RangeError(`line ${begun}: a quotation mark is never closed`);
  if (cell !== "" || cells.length > 0) end();
  const first = records.shift();
  if (first === undefined) throw new RangeError("the file is empty; its first line must name the columns");
  const header = first.cells.map((name) => name.trim());
  const twice = header.find((name, at) => header.indexOf(name) !== at);
  if (twice !== undefined) throw new RangeError(`the header names the column ${twice || "without a name"} twice; rename or remove one`);
  const wrong = records.find((row) => row.cells.length > header.length);
  if (wrong !== undefined)
    throw new RangeError(`line ${wrong.line}: expected ${header.length} cells as in the header, got ${wrong.cells.length}; put a cell that contains a comma in quotation marks`);
  return { header, rows: records };
}

export function format(records) {
  return records.map((cells) => cells.map(quote).join(",")).join("\r\n") + "\r\n";
}

function quote(cell) {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
