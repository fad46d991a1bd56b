"""The records of a request: from its body to checked objects."""

import msgspec

from api import limits
from api.serving.pieces import pieces
from shared.errors import TooManyRows
from shared.schema.decoder import Decoder


def records(body: bytes, max_rows: int, decoder: Decoder) -> list[msgspec.Struct]:
    """Decode and check a JSON list of records, piece by piece.

    Raises:
        TooManyRows: The list has more than `max_rows` records. What follows has not been decoded.
        REFUSED: The decoder does not accept the body.
    """
    if len(body) <= limits.PIECE_BYTES:
        found = decoder.decode(body)
        if len(found) > max_rows:
            raise too_many_rows(max_rows)
        return found
    found = []
    for piece in pieces(body):
        found += decoder.decode(piece.text)
        if len(found) > max_rows:
            raise too_many_rows(max_rows)
    return found


def too_many_rows(max_rows: int, rows: int | None = None) -> TooManyRows:
    """Return the error for a request of `rows` rows, or of more than were counted."""
    return TooManyRows(
        f"expected at most {max_rows} rows in a request, got {rows or 'more'}; send them in "
        "several requests, or raise LIFEBOAT_MAX_ROWS"
    )
