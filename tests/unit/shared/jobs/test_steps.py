"""The scripts and the Python that calls them use the same words."""

import re
from typing import get_args

import pytest

from shared.jobs import steps
from shared.jobs.job import JobStatus
from shared.jobs.steps import Cancellation, Hold, Step
from shared.runtime import lua

SCRIPTS = lua.sources(steps.__file__)


def _words(pattern: str) -> set[str]:
    """The words that a pattern captures in the code of all scripts."""
    code = re.sub(r"--.*", "", "\n".join(SCRIPTS.values()))
    return {*re.findall(pattern, code)}


def test_every_step_has_a_script_and_every_script_is_a_step() -> None:
    assert SCRIPTS.keys() == {"prelude", *get_args(Step)}


def test_the_scripts_answer_the_words_of_the_enums_and_no_others() -> None:
    at_once = _words(r"\breturn '([a-z-]+)'")
    by_condition = _words(r"\breturn .* and '([a-z-]+)' or ")
    otherwise = _words(r"\breturn .* and .* or '([a-z-]+)'")
    answers = at_once | by_condition | otherwise
    assert answers == {*Hold, *Cancellation}


@pytest.mark.parametrize(
    ("script", "answers"),
    [
        ("beat", {Hold.LOST, Hold.HELD, Hold.CANCEL_ASKED}),
        ("report", {Hold.LOST, Hold.HELD, Hold.CANCEL_ASKED}),
        ("succeed", {*Hold}),
        ("end", {Hold.LOST, Hold.HELD}),
        ("cancel", {*Cancellation}),
    ],
)
def test_the_head_of_a_script_lists_its_answers(script: str, answers: set[str]) -> None:
    (listed,) = re.findall(r"^-- Answers (.+?)\.", SCRIPTS[script], re.MULTILINE)
    assert {*re.split(r", | or ", listed)} == answers


def test_the_scripts_know_a_jobs_statuses_and_no_others() -> None:
    compared = _words(r"(?:\bstatus|field\('status'\)) [=~]= '([a-z]+)'")
    written = _words(r"'status', '([a-z]+)'") | _words(r"\bclose\('([a-z]+)'")
    assert compared | written <= {*JobStatus}
    assert written == {*JobStatus}
