"""The version key and `current.json`, kept alike."""

import pytest

from shared.versions import current
from shared.versions.current import Note
from shared.versions.version_key import Noted
from worker.choice.mirror import Remedy, remedy

HERE, THERE = "20260102-030405-aaaaaa", "20260102-030406-bbbbbb"


def _note(version: str | None, generation: int) -> Note:
    return Note(version, generation, b"")


@pytest.mark.parametrize(
    ("key", "note", "alike", "expected"),
    [
        pytest.param(HERE, None, None, Remedy.NOTE, id="nothing noted yet"),
        pytest.param(HERE, _note(None, 0), Noted(HERE, 4), Remedy.NOTE, id="the note is damaged"),
        pytest.param(HERE, _note(HERE, 4), Noted(HERE, 4), Remedy.NOTHING, id="alike"),
        pytest.param(HERE, _note(HERE, 4), None, Remedy.REMEMBER, id="alike, unknown"),
        pytest.param(HERE, _note(HERE, 5), Noted(HERE, 4), Remedy.REMEMBER, id="noted anew"),
        pytest.param(HERE, _note(HERE, 0), None, Remedy.REMEMBER, id="of an older release"),
        pytest.param(HERE, _note(THERE, 4), Noted(THERE, 4), Remedy.NOTE, id="key changed"),
        pytest.param(HERE, _note(THERE, 5), Noted(HERE, 4), Remedy.CARRY, id="published elsewhere"),
        pytest.param(HERE, _note(THERE, 9), Noted(HERE, 4), Remedy.CARRY, id="several times"),
        pytest.param(HERE, _note(THERE, 5), Noted(THERE, 4), Remedy.NOTE, id="both were changed"),
        pytest.param(HERE, _note(THERE, 4), Noted(HERE, 4), Remedy.NOTE, id="no newer number"),
        pytest.param(HERE, _note(THERE, 3), Noted(HERE, 4), Remedy.NOTE, id="an older note"),
        pytest.param(HERE, _note(THERE, 5), None, Remedy.NOTE, id="nobody knows what was alike"),
    ],
)
def test_what_makes_the_two_alike(
    key: str, note: Note | None, alike: Noted | None, expected: Remedy
) -> None:
    assert remedy(key, note, alike) is expected


def test_a_note_of_an_earlier_release_has_the_lowest_number() -> None:
    note = current.parsed(b'{"model_version": "%s"}' % HERE.encode())
    assert (note.version, note.generation) == (HERE, 0)
