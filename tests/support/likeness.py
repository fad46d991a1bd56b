"""Whether an answer is like the one that a page shows: in all but ids, times and figures."""

import json
import re
from typing import Any

ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}|\b[0-9a-f]{20,64}\b")
_PROCESS = re.compile(r"[\w.@-]+[:#]\d+")
"""Of a machine: `<host>:<pid>`, or a worker's name."""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")

_MORE = "..."
"""In a JSON object or list: whatever else; in a line: any text; alone on a line: any lines."""


def difference(shown: str, actual: str, ids: dict[str, str]) -> str:
    """Where the two differ, in words; "" where they do not.

    Fills `ids` with each id that is shown, and the one that stands in its place.
    """
    shown, actual = shown.strip(), actual.replace("\r\n", "\n").strip()
    if shown.startswith("HTTP/"):
        head, _, shown = shown.partition("\n\n")
        actual_head, _, actual = actual.partition("\n\n")
        found = _heads_differ(head, actual_head)
        if found:
            return found
    try:
        expected = json.loads(_with_more(shown))
    except ValueError:
        return _lines_differ(shown, actual, ids)
    try:
        found = _values_differ(expected, json.loads(actual), "", ids)
    except ValueError:
        found = "it is no JSON"
    return found and f"{found}; the answer: {actual[-3000:]}"


def _with_more(shown: str) -> str:
    """`, ...` at the end of an object or a list as JSON can say it."""
    shown = re.sub(r",\s*\.\.\.(?=\s*\})", f', "{_MORE}": 0', shown)
    return re.sub(r",\s*\.\.\.(?=\s*\])", f', "{_MORE}"', shown)


def _heads_differ(shown: str, actual: str) -> str:
    status, *headers = shown.splitlines()
    actual_status, *actual_headers = actual.splitlines()
    if status != actual_status:
        return f"the status is {actual_status}, and not {status}"
    left = {_without_figures(header.lower()) for header in actual_headers}
    missing = [header for header in headers if _without_figures(header.lower()) not in left]
    return f"there is no header {missing[0]!r} in {actual_headers}" if missing else ""


def _values_differ(expected: Any, actual: Any, where: str, ids: dict[str, str]) -> str:
    if where.endswith(".predictions"):
        # Labels are no figures: the page says what the model answers.
        return "" if expected == actual else f"{where} is {actual}, and not {expected}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = set(expected) - {_MORE}
        if not (names == set(actual) or (_MORE in expected and names <= set(actual))):
            return f"{where or 'the object'} has {sorted(actual)}, and not {sorted(names)}"
        pairs = [(f"{where}.{name}", expected[name], actual[name]) for name in names]
    elif isinstance(expected, list) and isinstance(actual, list):
        values = [value for value in expected if value != _MORE]
        if len(actual) < len(values) or (len(actual) > len(values) == len(expected)):
            return f"{where} has {len(actual)} values, and not {len(values)}"
        pairs = [(f"{where}[]", e, a) for e, a in zip(values, actual, strict=False)]
    elif _scalar(expected) != _scalar(actual):
        return f"{where} is {actual!r}, and not {expected!r}"
    else:
        _learn(expected, actual, ids)
        return ""
    return next((found for w, e, a in pairs if (found := _values_differ(e, a, w, ids))), "")


def _learn(expected: object, actual: object, ids: dict[str, str]) -> None:
    ids.update(zip(ID.findall(str(expected)), ID.findall(str(actual)), strict=True))


def _scalar(value: Any) -> object:
    if isinstance(value, str):
        return "a process" if _PROCESS.fullmatch(value) else _without_figures(value)
    return "a number" if type(value) in (int, float) else value


def _lines_differ(shown: str, actual: str, ids: dict[str, str]) -> str:
    """The first line shown that does not come after the one before it."""
    left = actual.splitlines()
    for line in shown.splitlines():
        words = _without_figures(line)
        if words in ("", _MORE):
            continue
        pattern = re.escape(words).replace(re.escape(_MORE), ".*")
        alike = (i for i, own in enumerate(left) if re.fullmatch(pattern, _without_figures(own)))
        at = next(alike, None)
        if at is None:
            return f"there is no line {line!r} in: {actual[-3000:]}"
        if _MORE not in words:
            _learn(line, left[at], ids)
        left = left[at + 1 :]
    return ""


def _without_figures(text: str) -> str:
    return _NUMBER.sub("#", ID.sub("<id>", " ".join(text.split())))
