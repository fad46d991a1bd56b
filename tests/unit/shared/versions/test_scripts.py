"""The scripts of the version key and the Python that calls them use the same words."""

import re

from shared.runtime import lua
from shared.versions import version_key
from shared.versions.version_key import Choice

CHOOSE = lua.sources(version_key.__file__)["choose"]


def test_the_script_of_a_choice_answers_the_words_of_the_enum_and_no_others() -> None:
    assert {*re.findall(r"\breturn '([a-z-]+)'", CHOOSE)} == {*Choice}


def test_its_head_lists_its_answers() -> None:
    (listed,) = re.findall(r"^-- Answers (.+?)\.$", CHOOSE, re.MULTILINE | re.DOTALL)
    words = re.sub(r"\s*\([^)]*\)", "", listed)
    assert {*re.split(r", | or ", words)} == {*Choice}
