"""Each decision has a number, a status and a date, and the index has each decision."""

import re

import pytest

from tests.support.processes import ROOT

_FOLDER = ROOT / "docs" / "decisions"
_FILES = sorted(path.name for path in _FOLDER.glob("*.md") if path.name != "README.md")
_HEAD = re.compile(
    r"# (?P<number>\d{4}): (?P<title>.+)\n\n"
    r"\* Status: (?P<status>accepted|superseded by (?P<by>\d{4}))\n"
    r"\* Date: \d{4}-\d\d-\d\d\n\n"
)


def _head(name: str) -> re.Match[str]:
    head = _HEAD.match((_FOLDER / name).read_text())
    assert head, f"{name}: expected a title with its number, then its status and its date"
    return head


def test_no_number_stands_for_two_decisions() -> None:
    # Numbers are given out before the decisions are written: there may be a gap for a while.
    numbers = [name.partition("-")[0] for name in _FILES]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", _FILES)
def test_a_decision_has_its_number_a_status_and_a_date(name: str) -> None:
    assert name.startswith(f"{_head(name)['number']}-")


@pytest.mark.parametrize("name", _FILES)
def test_a_superseded_decision_names_a_later_one_that_is_there(name: str) -> None:
    head = _head(name)
    if head["by"]:
        assert head["by"] > head["number"]
        assert any(other.startswith(f"{head['by']}-") for other in _FILES)


@pytest.mark.parametrize("name", _FILES)
def test_a_decision_refers_to_decisions_that_are_there(name: str) -> None:
    text = (_FOLDER / name).read_text()
    named = set(re.findall(r"(?<![\w-])(0\d{3})(?![\w-])", text))
    assert named <= {other.partition("-")[0] for other in _FILES}


def test_the_index_lists_every_decision_with_its_title_and_status() -> None:
    index = (_FOLDER / "README.md").read_text()
    rows = re.findall(r"^\| (\d{4}) \| \[(.+)\]\((.+)\) \| (.+) \|$", index, re.M)
    heads = [(name, _head(name)) for name in _FILES]
    assert rows == [(head["number"], head["title"], name, head["status"]) for name, head in heads]
