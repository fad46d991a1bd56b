// The text of a file, from its bytes. A file that is not text, or not a table, is named by how it begins, whatever it is called.

const SAVE = "save its sheet as “CSV UTF-8”, and choose that file";
const UNPACK = "unpack it, and choose the file inside";

/** How a file begins (one character for each byte) -> what it is, and what to do. The first that fits counts. */
const BINARY = [
  [/^PK\x03\x04.*(vnd\.oasis\.opendocument|content\.xml)/s, "an OpenDocument spreadsheet (.ods)", SAVE],
  [/^PK\x03\x04.*xl\//s, "an Excel workbook (.xlsx)", SAVE],
  [/^PK(\x03\x04|\x05\x06|\x07\x08)/, "a zip archive", UNPACK],
  [/^\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1/, "an Excel workbook (.xls, or .xlsx with a password)", SAVE],
  [/^\x1f\x8b/, "a file compressed with gzip", UNPACK],
  [/^(BZh\d|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|\x28\xb5\x2f\xfd|Rar!\x1a)/, "a compressed file", UNPACK],
  [/^PAR1/, "a Parquet file", "write its rows as CSV, and choose that file"],
  [/^(\xff\xfe\0\0|\0\0\xfe\xff)/, "text in UTF-32", "save it as UTF-8"],
  [/^%PDF-/, "a PDF", "export its table as CSV, and choose that file"],
];

/** The same for text. */
const MARKUP = [
  [/^\s*<(!doctype|html|table|\?xml)/i, "an HTML or XML page", `open it in a spreadsheet program, ${SAVE}`],
  [/^\s*(\[\s*\{|\{\s*")/, "JSON", "write its records as CSV, or send them to POST /predict"],
];

/** Bytes that mean nothing in Windows-1252; a browser reads them as control characters. */
const UNDEFINED = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/**
 * @param {Uint8Array} bytes
 * @returns {{text: string, encoding: string, marked: boolean}} `marked`: whether the file begins with a byte order mark; `text` is without
 * @throws {RangeError} if the bytes are not text, or in no encoding that is read
 */
export function decode(bytes) {
  // The names of the files in a zip archive are at its end, too.
  refuse(BINARY, characters(bytes.subarray(0, 4096)) + characters(bytes.subarray(Math.max(4096, bytes.length - 65536))));
  const [encoding, marked] = encodingOf(bytes);
  let text;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new RangeError(`expected text, got a file whose byte order mark says ${encoding.toUpperCase()} and whose content is something else; save it as UTF-8`);
  }
  refuse(MARKUP, text.slice(0, 4096));
  const nul = text.indexOf("\0");
  if (nul >= 0)
    throw new RangeError(`expected text, got a NUL character in line ${lineAt(text, nul)}, as binary files and UTF-16 without a byte order mark have; save it as UTF-8`);
  return { text, encoding, marked };
}

function encodingOf(bytes) {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return ["utf-8", true];
  if (first === 0xff && second === 0xfe) return ["utf-16le", true];
  if (first === 0xfe && second === 0xff) return ["utf-16be", true];
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return ["utf-8", false];
  } catch {
    const at = bytes.findIndex((byte) => UNDEFINED.includes(byte));
    if (at < 0) return ["windows-1252", false];
    const line = lineAt(characters(bytes.subarray(0, at)), at);
    throw new RangeError(`expected text in UTF-8 or Windows-1252, got the byte 0x${bytes[at].toString(16)} in line ${line}, which is neither; save it as UTF-8`);
  }
}

function refuse(kinds, beginning) {
  const found = kinds.find(([pattern]) => pattern.test(beginning));
  if (found !== undefined) throw new RangeError(`expected a CSV file, got ${found[1]}; ${found[2]}`);
}

/** Returns a character for each byte. */
function characters(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Returns the number of the line that a place in the text is in. */
function lineAt(text, place) {
  return text.slice(0, place).split(/\r\n|\r|\n/).length;
}
