"""The JSON of an inference request without the data of its tensors, which is decoded by itself.

A decoder holds the interpreter for as long as its text is long, also where it only skips a value.
What is left of a large request without its data is short, or the request is refused.
"""

import re
import secrets

from api import limits
from shared.errors import BadTensors

_DATA = b'"data"'
_OPENS = re.compile(rb"[ \t\n\r]{0,100}:[ \t\n\r]{0,100}(?=\[[ \t\n\r]{0,100}(\[?))")
_CLOSES_ROWS = re.compile(rb"\][ \t\n\r]{0,100}\]")
_LONGEST_CLOSE = 102
_TRIES = 4
"""Brackets in strings that are looked at for each row: a category may have some."""

# No client can guess a string with it, and have the data of one tensor read as another's.
_SECRET = secrets.token_hex(8).encode()

Cut = dict[bytes, bytes]
"""A JSON string that stands in the outline for a list -> the list."""


def outlined(text: bytes, most_lists: int, max_rows: int) -> tuple[bytes, Cut]:
    """Return the outline of a request's JSON, and the lists that were cut out.

    A list stands where the key "data" is followed by a bracket, and ends at the first bracket that
    can end it. Whether it is JSON, its decoder finds. If each list is, and the outline, then so is
    the text, and means the same: no JSON list is the beginning of another one, and an unescaped
    quote with a name behind it begins a key.

    Raises:
        BadTensors: The outline, a list, or the number of lists is greater than it may be.
    """
    most_data = limits.OUTLINE_BYTES + limits.VALUE_BYTES * max_rows
    parts: list[bytes] = []
    cut: Cut = {}
    done = 0
    at = text.find(_DATA)
    while at >= 0:
        key_end = at + len(_DATA)
        opens = _OPENS.match(text, key_end)
        if opens is None or text[at - 1 : at] == b"\\":
            at = text.find(_DATA, key_end)
            continue
        if len(cut) == most_lists:
            raise BadTensors(f"expected at most {most_lists} lists of data, one an input, got more")
        start = opens.end()
        end = _end(text, start, start + most_data, opens[1] == b"[", _TRIES * max_rows)
        name = b'"%s:%d"' % (_SECRET, len(cut))
        cut[name] = text[start:end]
        parts += [text[done:start], name]
        done = end
        at = text.find(_DATA, end)
    parts.append(text[done:])
    most = limits.OUTLINE_BYTES + limits.VALUE_BYTES * most_lists
    size = sum(map(len, parts))
    if size > most:
        raise BadTensors(
            f"expected at most {most} bytes of JSON beside the data of the tensors, got {size}"
        )
    return b"".join(parts), cut


def _end(text: bytes, start: int, most: int, has_rows: bool, tries: int) -> int:
    """Return where the list that starts there ends: at a bracket that is in no string."""
    close = _close_of_rows if has_rows else _close_of_values
    counted = search = start
    in_string = False
    for _ in range(tries):
        found, end = close(text, search, most)
        if found < 0:
            break
        in_string ^= _quotes(text, counted, found) % 2 == 1
        if not in_string:
            return end
        # The bracket is a part of a string. None before the next quote ends the list.
        counted = found
        search = text.find(b'"', found, most)
        if search < 0:
            break
    raise BadTensors(
        f"expected a list of data to end within {most - start} bytes, got a longer one, or one "
        "that is not JSON"
    )


def _quotes(text: bytes, start: int, end: int) -> int:
    """Return the number of quotes that are not escaped."""
    if text.find(b'"', start, end) < 0:
        return 0
    if text.find(b"\\", start, end) < 0:
        return text.count(b'"', start, end)
    unescaped = text[start:end].replace(b"\\\\", b"")
    return unescaped.count(b'"') - unescaped.count(b'\\"')


def _close_of_values(text: bytes, start: int, most: int) -> tuple[int, int]:
    """Return where the first closing bracket is, and where it ends; -1 if there is none."""
    found = text.find(b"]", start, most)
    return found, found + 1


def _close_of_rows(text: bytes, start: int, most: int) -> tuple[int, int]:
    """Return where the first two closing brackets are, and where they end; -1 if there are none."""
    # Searched in steps, between which others have their turn: 2.6 MB at once take 20 ms.
    while start < most:
        found = _CLOSES_ROWS.search(text, start, min(most, start + limits.PIECE_BYTES))
        if found is not None:
            return found.span()
        start += limits.PIECE_BYTES - _LONGEST_CLOSE
    return -1, -1
