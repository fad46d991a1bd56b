"""Small inference requests, read in one call of the decoder.

For a few values, a call for each tensor takes longer than the values do.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

import msgspec

from api.serving.tensors.reader import Reader
from api.serving.tensors.request import DATATYPES, Request, value_type
from shared.schema.decoder import REFUSED


class _Parameters(msgspec.Struct):
    binary_data_size: Annotated[int, msgspec.Meta(ge=0)] | None = None


class SmallRequests:
    """Reads requests of these features, with the values of their tensors checked.

    Made once for each schema, because a class is made for each feature.
    """

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self._readers: dict[type[msgspec.Struct], tuple[str, Reader]] = {}
        for place, reader in enumerate(readers.values()):
            feature = reader.feature
            values: Any = list[value_type(feature)]  # type: ignore[misc]
            datatypes: Any = Literal[DATATYPES[feature.kind]]
            tensor = msgspec.defstruct(
                f"Tensor{place}",
                [
                    ("shape", list[int]),
                    ("datatype", datatypes),
                    ("data", values | None, None),
                    ("parameters", _Parameters | None, None),
                ],
                tag_field="name",
                tag=feature.name,
            )
            self._readers[tensor] = feature.name, reader
        any_of: Any = Union[(*self._readers,)]
        request = msgspec.defstruct("SmallRequest", [("inputs", list[any_of])], bases=(Request,))
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode

    def read(self, text: bytes, binary: bytes) -> tuple[Request, dict[str, list[Any]], int] | None:
        """Return a request, the values of its tensors by their names, and the number of its rows.

        None unless each tensor is sound, was sent once, and has as many rows as the others and as
        its shape says. What is wrong, the readers of the tensors say.
        """
        try:
            request = self._decode(text)
        except REFUSED:
            return None
        inputs = request.inputs
        if not inputs or not inputs[0].shape:
            return None
        rows: int = inputs[0].shape[0]
        shapes = [rows, 1], [rows]
        found: dict[str, list[Any]] = {}
        start = 0
        for tensor in inputs:
            name, reader = self._readers[type(tensor)]
            values = tensor.data
            parameters = tensor.parameters
            if parameters is not None and parameters.binary_data_size is not None:
                end = start + parameters.binary_data_size
                values = reader.few(tensor.datatype, binary[start:end], rows)
                start = end
            if values is None or len(values) != rows or tensor.shape not in shapes:
                return None
            found[name] = values
        if start != len(binary) or len(found) != len(inputs):
            return None
        return request, found, rows
