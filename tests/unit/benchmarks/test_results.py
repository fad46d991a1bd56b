"""Sections of the results file, and figures as a reader gets them."""

from pathlib import Path

import pytest

from benchmarks.results import percentile, short, table, write_section


def test_a_section_is_added_and_replaced_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "results.md"
    for title, text in (("a", "first"), ("b", "other"), ("a", "second\n\n### deeper")):
        write_section(title, text, path)
    head, *sections = path.read_text().split("\n## ")
    assert head.startswith("# Results")
    assert sections == ["a\n\nsecond\n\n### deeper\n", "b\n\nother\n"]


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 5.0), (90, 9.0), (99, 10.0), (100, 10.0), (0, 1.0)]
)
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: float) -> None:
    assert percentile([float(n) for n in range(10, 0, -1)], percent) == value


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.12345, "0.123"), (9.876, "9.88"), (123.4, "123"), (15_849.0, "15,800"), (1e6, "1,000,000")],
)
def test_figures_have_three_digits(number: float, shown: str) -> None:
    assert short(number) == shown


def test_a_table_has_text_at_the_left_and_numbers_at_the_right() -> None:
    assert table(["what", "ms"], [["one", "1"]]) == "| what | ms |\n| --- | ---: |\n| one | 1 |"
