from collections.abc import Mapping, Sequence

from shared.schema.columns import Columns
from tests.support.titanic import to_columns, to_records


def columns(records: Sequence[Mapping[str, object]]) -> Columns:
    """Sound records, written as a client writes them, as the model takes them."""
    return to_columns(to_records(records))
