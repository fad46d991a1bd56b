"""Every command of the README and of `docs/` is carried out as it stands there, page by page."""

import re
from pathlib import Path

import pytest

from tests.support.documents import Block, blocks, pages
from tests.support.processes import ROOT
from tests.support.walk import Walk

_LEAST_REASON = len("needs Docker")


def _steps(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.is_step and not block.why_not_run]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page == "docs/configuration.md" else pytest.mark.thorough)
        for page in pages()
        if _steps(page)
    ],
)
def test_the_page_can_be_carried_out_from_its_top(page: str, tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    try:
        for block in _steps(page):
            walk.take(block)
    finally:
        walk.end()


def test_what_is_left_out_says_why() -> None:
    left_out = [block for page in pages() for block in blocks(page) if block.why_not_run]
    assert left_out
    for block in left_out:
        assert block.is_step and len(block.why_not_run) >= _LEAST_REASON, block
        for path in re.findall(r"tests/[\w/.]*\w", block.why_not_run):
            assert (ROOT / path).exists(), block


def test_a_comment_is_one_that_means_something() -> None:
    for page in pages():
        for block in blocks(page):
            assert not block.comment or block.why_not_run or block.file, block


def test_no_command_stands_in_a_block_of_another_kind() -> None:
    """Where it would be passed over."""
    for page in pages():
        for block in blocks(page):
            if block.language not in ("sh", "console"):
                found = re.search(r"^\$ |^(?:curl|make|docker|git) ", block.text, re.M)
                assert not found, block
