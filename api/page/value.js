// From the text of a cell, or of a field of the form, to the value of a record. The API has the last word on every value.

/** Words that stand for a missing value, unless the field has the word as an option. The training table has the same words. */
const MISSING = new Set([
  ...["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"],
  ...["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"],
]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** 1,234 is 1234 to some and 1.234 to others. */
const AMBIGUOUS = /^[+-]?[1-9]\d{0,2}([.,])\d{3}$/;
const GROUPED = /^[+-]?\d{1,3}([.,\s'’]\d{3})+([.,]\d*)?$/;
/** The largest number of float32, which the model takes. */
const LARGEST = 3.4028234663852886e38;
const OPTIONS_SHOWN = 10;

/**
 * Returns which signs stand before a fraction among the texts of numbers; what is ambiguous says nothing.
 * @param {Iterable<string>} texts
 * @returns {{comma: boolean, point: boolean}}
 */
export function decimalSigns(texts) {
  const signs = { comma: false, point: false };
  for (const text of texts) {
    const sign = text.match(/[.,]/)?.[0];
    if (sign === undefined || AMBIGUOUS.test(text.trim()) || !isNumber(text.trim())) continue;
    signs[sign === "," ? "comma" : "point"] = true;
  }
  return signs;
}

const isNumber = (text) => NUMBER.test(text.replace(",", "."));

/**
 * Returns the value of a field whose text a person typed or a cell has.
 * @param {import("./schema.js").Field} field
 * @param {string} text
 * @param {{comma: boolean, point: boolean}} [signs] what the other numbers of the table have before their fraction
 * @returns {string | number | null} null if the value is missing
 * @throws {RangeError} if a record cannot have the value
 */
export function value(field, text, signs = { comma: false, point: false }) {
  const trimmed = text.trim();
  if (field.options?.includes(text)) return text;
  if (field.options?.includes(trimmed)) return trimmed;
  if (MISSING.has(trimmed)) {
    if (field.required) throw new RangeError("this field is required");
    return null;
  }
  const expected = (what) => new RangeError(`expected ${what}, got “${trimmed.slice(0, 40)}”`);
  if (field.options !== null) throw expected(oneOf(field.options));
  return field.number ? number(field, trimmed, signs, expected) : trimmed;
}

function number(field, text, signs, expected) {
  const sign = text.match(AMBIGUOUS)?.[1];
  if ((sign === "," && !(signs.comma && !signs.point)) || (sign === "." && signs.comma))
    throw expected(`a number that can be read in one way only (${text.replace(sign, "")} or ${text.replace(sign, ".")}?)`);
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
