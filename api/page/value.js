// From the text of a cell, or of a field of the form, to the value of a record. The API has the last word on every value.

/** Words that stand for a missing value, unless the field has the word as an option. The training table has the same words. */
const MISSING = new Set([
  ...["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"],
  ...["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"],
]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** 1,234 is 1234 to some and 1.234 to others. */
const AMBIGUOUS = /^[+-]?[1-9]\d{0,2},\d{3}$/;
const GROUPED = /^[+-]?\d{1,3}([.,\s'’]\d{3})+([.,]\d*)?$/;
/** The largest number of float32, which the model takes. */
const LARGEST = 3.4028234663852886e38;
const OPTIONS_SHOWN = 10;

/**
 * Returns whether the numbers of a file have decimal commas; those that are ambiguous do not tell.
 * @param {{line: number, text: string}[]} cells the cells of every number
 * @throws {RangeError} if some numbers have a comma and others a point
 */
export function decimalCommas(cells) {
  const firstWith = (sign) => cells.find(({ text }) => text.includes(sign) && isNumber(text.trim()) && !AMBIGUOUS.test(text.trim()));
  const comma = firstWith(",");
  const point = comma && firstWith(".");
  if (point !== undefined)
    throw new RangeError(`line ${comma.line} has a decimal comma (${comma.text.trim()}) and line ${point.line} a decimal point (${point.text.trim()}); use one of them in the whole file`);
  return comma !== undefined;
}

const isNumber = (text) => NUMBER.test(text.replace(",", "."));

/**
 * Returns the value of a field whose text a person typed or a cell has.
 * @param {import("./schema.js").Field} field
 * @param {string} text
 * @param {boolean} [hasCommas] whether other numbers of the file have decimal commas
 * @returns {string | number | null} null if the value is missing
 * @throws {RangeError} if a record cannot have the value
 */
export function value(field, text, hasCommas = false) {
  const trimmed = text.trim();
  if (field.options?.includes(text)) return text;
  if (field.options?.includes(trimmed)) return trimmed;
  if (MISSING.has(trimmed)) {
    if (field.required) throw new RangeError("this field is required");
    return null;
  }
  const expected = (what) => new RangeError(`expected ${what}, got “${trimmed.slice(0, 40)}”`);
  if (field.options !== null) throw expected(oneOf(field.options));
  return field.number ? number(field, trimmed, hasCommas, expected) : trimmed;
}

function number(field, text, hasCommas, expected) {
  if (AMBIGUOUS.test(text) && !hasCommas) throw expected(`a number that can be read in one way only (${text.replace(",", "")} or ${text.replace(",", ".")}?)`);
  if (!isNumber(text)) throw expected(GROUPED.test(text) ? "a number without separators of thousands" : "a number");
  const found = Number(text.replace(",", "."));
  if (Math.abs(found) > LARGEST) throw expected("a number up to 3.4e38");
  if (field.whole && !Number.isInteger(found)) throw expected("a whole number");
  const { minimum = -Infinity, above = -Infinity, maximum = Infinity, below = Infinity } = field;
  if (found < minimum) throw expected(`at least ${minimum}`);
  if (found <= above) throw expected(`more than ${above}`);
  if (found > maximum) throw expected(`at most ${maximum}`);
  if (found >= below) throw expected(`less than ${below}`);
  return found;
}

function oneOf(options) {
  const more = options.length - OPTIONS_SHOWN;
  return `one of ${options.slice(0, OPTIONS_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
