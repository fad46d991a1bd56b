// Reads and writes rows of cells as RFC 4180 describes them, with any separator and any line end.

const isBlank = (text) => text.trim() === "";

/**
 * Yields the rows of a text.
 * @param {string} text
 * @param {string} separator one character
 * @param {number} [line] the number of the text's first line in its file
 * @returns {Generator<{line: number, cells: string[]}>} `line`: the line in which the row begins
 * @throws {RangeError} if a quotation mark is never closed, or text follows a closing one
 */
export function* parse(text, separator, line = 1) {
  let cells = [], cell = "", quoted = false, closed = false, begun = line;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    const ends = character === "\n" || (character === "\r" && text[at + 1] !== "\n");
    if (ends) line += 1;
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') cell += text[(at += 1)];
      else [quoted, closed] = [false, true];
    } else if (character === separator || ends) {
      cells.push(cell);
      [cell, closed] = ["", false];
      if (!ends) continue;
      yield { line: begun, cells };
      [cells, begun] = [[], line];
    } else if (closed) {
      if (!isBlank(character)) throw new RangeError(`line ${line}: after the closing quotation mark of a cell, expected the next cell, got “${character}”; write a quotation mark within a cell twice`);
    } else if (character === '"' && isBlank(cell)) [cell, quoted] = ["", true];
    else if (character !== "\r") cell += character;
  }
  if (quoted) throw new RangeError(`line ${begun}: a quotation mark is never closed`);
  if (cell !== "" || closed || cells.length > 0) yield { line: begun, cells: [...cells, cell] };
}

/** Returns the text of rows. */
export function format(rows, separator) {
  const special = new RegExp(`["\r\n${separator === "|" ? "\\|" : separator}]`);
  const quote = (cell) => (special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((cells) => cells.map((cell) => quote(String(cell))).join(separator) + "\r\n").join("");
}
