"""A document that lists the values of something lists all of them."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import get_args

import pytest

from api.short_cut.short_cut import Verdict
from api.telemetry.metrics import Cap
from shared.jobs.durations import OUTCOMES
from shared.jobs.job import JobStatus, Stage
from shared.jobs.steps import Cancellation, Hold, Step
from shared.schema.schema import Kind
from shared.settings import Settings
from shared.versions.manifest import Plot
from shared.versions.version_key import Choice
from tests.support.processes import ROOT
from tests.support.tree import documents, modules
from worker.choice.mirror import Remedy
from worker.new_model.columns import Holds

ENUMS: list[type[StrEnum]] = [
    *(JobStatus, Stage, Plot, Hold, Cancellation, Choice, Kind, Holds, Cap, Verdict, Remedy),
]
VALUES: dict[str, set[str]] = {
    **{enum.__name__: {*enum} for enum in ENUMS},
    "outcomes of jobs": {*OUTCOMES},
    "steps": {*get_args(Step)},
    "log levels": {*get_args(Settings.model_fields["log_level"].annotation)},
}

LEAST = 3
"""Fewer values side by side are a choice of some, not a list."""


def listed(text: str, values: set[str]) -> Iterator[set[str]]:
    """Yield what each list of at least three of the values has: in a sentence, or in a table."""
    one = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
    value = rf"[`*'\"]*(?<![\w-])(?:{one})(?![\w-])[`*'\"]*"
    between = r"\s*(?:(?:,|→|>|\||/|·|:)\s*)?(?:(?:and|or)\s+)?"
    for run in re.finditer(rf"{value}(?:{between}{value})+", text):
        yield {*re.findall(rf"(?<![\w-])(?:{one})(?![\w-])", run[0])}
    for table in re.finditer(r"(?:^ *\|.*\n)+", text, re.M):
        yield {*re.findall(rf"^ *\| [`*]*({one})[`*]* \|", table[0], re.M)}


@pytest.mark.parametrize("name", VALUES)
def test_every_list_of_a_document_is_complete(name: str) -> None:
    values = VALUES[name]
    for page in documents():
        for found in listed(page.read_text(), values):
            missing = values - found
            assert len(found) < LEAST or not missing, (
                f"{page.relative_to(ROOT)} lists {sorted(found)} and not {sorted(missing)}"
            )


def test_every_enum_of_the_product_is_looked_for() -> None:
    declared = {
        name
        for path in modules()
        for name in re.findall(r"^class (\w+)\((?:Str|Int)?Enum\):", path.read_text(), re.M)
    }
    assert declared == {enum.__name__ for enum in ENUMS}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("load → fit → evaluate → publish", [{"load", "fit", "evaluate", "publish"}]),
        ("`load`, `fit` and\n`verify`", [{"load", "fit", "verify"}]),
        ("| seconds | load | fit | plot |\n", [{"load", "fit", "plot"}, set()]),
        ("| `load` | a |\n| `fit` | b |\n", [{"load", "fit"}]),
        ("to load a table is not a fit", []),
    ],
)
def test_what_is_taken_for_a_list(text: str, found: list[set[str]]) -> None:
    assert list(listed(text, {*Stage})) == found
