"""How pages are read, and answers compared with what they show."""

import pytest

from tests.support.documents import Block, commands
from tests.support.likeness import difference


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ('{"a": 1, "b": "x 0.5"}', '{"b": "x 0.7", "a": 2}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": 1, "b": 2}', False),
        ('{"a": 1, ...}', '{"a": 1, "b": 2}', True),
        ('{"a": "running"}', '{"a": "queued"}', False),
        ('{"a": null}', '{"a": 1}', False),
        ('{"a": true}', '{"a": false}', False),
        ("[1, 2]", "[3]", False),
        ("[1]", "[3, 4]", False),
        ('{"predictions": [1, 0]}', '{"predictions": [0, 1]}', False),
        ("[1, ...]", "[3, 4]", True),
        ("[1, ...]", "[]", False),
        ("one\n...\ntwo 3", "one\nother\ntwo 4\n", True),
        ("o...e", "open source", True),
        ("two\none", "one\ntwo", False),
        (
            'HTTP/1.1 200 OK\nA: 1\n\n{"a": 1}',
            'HTTP/1.1 200 OK\r\nb: 2\r\na: 1\r\n\r\n{"a":1}',
            True,
        ),
        ("HTTP/1.1 404 Not Found\n\n{}", "HTTP/1.1 200 OK\r\n\r\n{}", False),
    ],
)
def test_answers_are_compared_in_all_but_their_figures(shown: str, actual: str, same: bool) -> None:
    assert (not difference(shown, actual, {})) is same


def test_ids_are_learned_from_where_they_stand() -> None:
    ids: dict[str, str] = {}
    assert not difference(f'{{"job": "{"0" * 32}"}}', f'{{"job": "{"a" * 32}"}}', ids)
    assert ids == {"0" * 32: "a" * 32}


def test_a_command_ends_where_its_output_begins() -> None:
    text = "$ one 'a\nb'\n{\n$ two \\\n  three\n"
    found = list(commands(Block("page", 1, "", "console", text)))
    assert [(c.text, c.output) for c in found] == [("one 'a\nb'", "{"), ("two \\\n  three", "")]
