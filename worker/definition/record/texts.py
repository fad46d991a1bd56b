"""Which texts can be a name, a category or a label: those that a table's cell can hold."""

import unicodedata

from shared.errors import DefinitionBroken

_UNSEEN = {"Cc", "Cs"}
"""Unicode's categories of control characters, and of surrogates, which UTF-8 cannot write."""


def check_text(text: str, what: str, most: int) -> None:
    """Raise DefinitionBroken unless a text can be `what`, with at most so many characters."""
    if not text.strip():
        raise DefinitionBroken(
            f"expected {what} to have a visible character, found {text!r}, which stands for a "
            "missing value; write another text, here and in the table"
        )
    if text != text.strip():
        raise DefinitionBroken(
            f"expected {what} without blanks around it, because a table's cells are read without; "
            f"found {text[:80]!r}; remove the blanks"
        )
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        raise DefinitionBroken(
            f"expected {what} without control characters, found {text[:80]!r}; remove them"
        )
    if len(text) > most:
        raise DefinitionBroken(
            f"expected {what} to have at most {most} characters, found {len(text):,} in "
            f"{text[:40]!r}...; shorten it, here and in the table"
        )
