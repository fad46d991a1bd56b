"""`docs/architecture.md` has every module and every layer, and the rooms stay small."""

import re
import tomllib
from collections import Counter

from tests.support.processes import ROOT
from tests.support.tree import modules

_PAGE = (ROOT / "docs" / "architecture.md").read_text()
_MOST_LINES = 300
_MOST_MODULES = 12
_LARGER_ROOMS = {"api/http": 14}


def _on_the_map() -> list[str]:
    _, _, the_map = _PAGE.partition("\n## The map\n")
    listed = []
    for section in the_map.split("\n### ")[1:]:
        heading, _, table = section.partition("\n")
        room = re.match(r"`([\w/]+)/`: ", heading)
        assert room, f"expected '### `<room>/`: <what is in it>', found '### {heading}'"
        listed += [f"{room[1]}/{name}" for name in re.findall(r"^\| `([\w.]+)` \| \S", table, re.M)]
    return listed


def test_every_module_stands_on_the_map_and_the_map_names_no_other() -> None:
    assert sorted(_on_the_map()) == sorted(str(path.relative_to(ROOT)) for path in modules())


def test_the_page_has_the_layers_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    checked = {
        tuple(contract.get("containers", ["the checkout"])): [
            set(layer.split(" | ")) for layer in contract["layers"]
        ]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    }
    _, _, rest = _PAGE.partition("\n## Layers\n")
    rows = re.findall(r"^\| (.+?) \| (`.*`) \|$", rest.partition("\n## ")[0], re.M)
    stated = {
        (where.strip("`").rstrip("/").replace("/", "."),): [
            set(re.findall(r"`(\w+)`", layer)) for layer in layers.split(" > ")
        ]
        for where, layers in rows
    }
    assert stated == checked


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in modules()}
    assert not {path: lines for path, lines in lengths.items() if lines > _MOST_LINES}


def test_no_room_has_too_many_modules() -> None:
    rooms = Counter(str(path.parent.relative_to(ROOT)) for path in modules())
    too_many = {
        room: number
        for room, number in rooms.items()
        if number > _LARGER_ROOMS.get(room, _MOST_MODULES)
    }
    assert not too_many
