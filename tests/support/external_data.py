"""ONNX models some tensor of which is in another file, in each place where onnxruntime looks."""

from collections.abc import Callable

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, SparseTensorProto, TensorProto, helper

from shared.schema.schema import Kind
from shared.versions.onnx_model import OUTPUT_NAMES
from tests.support.titanic import FEATURES

_OPSETS = [
    helper.make_opsetid("", 17),
    helper.make_opsetid("ai.onnx.ml", 4),
    helper.make_opsetid("ours", 1),
]
BYTES = 16
"""Size of the file that a tensor asks for: four numbers."""


def _tensor(location: str, dims: tuple[int, ...] = (4,)) -> TensorProto:
    tensor = TensorProto(name="elsewhere", data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(BYTES)}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _sparse(location: str) -> SparseTensorProto:
    indices = helper.make_tensor("indices", TensorProto.INT64, [4], [0, 1, 2, 3])
    return SparseTensorProto(values=_tensor(location), indices=indices, dims=[4])


def _model(
    nodes: list[NodeProto],
    initializers: tuple[TensorProto, ...] = (),
    sparse: tuple[SparseTensorProto, ...] = (),
    functions: tuple[FunctionProto, ...] = (),
) -> bytes:
    """Takes what the product's models take; its label is made by `nodes` of Age."""
    outputs = OUTPUT_NAMES[Kind.BINARY]
    types = {"number": TensorProto.FLOAT, "category": TensorProto.STRING}
    graph = helper.make_graph(
        [*nodes, helper.make_node("Identity", ["Fare"], ["probabilities"])],
        "external",
        [helper.make_tensor_value_info(f.name, types[f.kind], [None, 1]) for f in FEATURES],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        list(initializers),
    )
    graph.sparse_initializer.extend(sparse)
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=9, functions=list(functions))
    content: bytes = model.SerializeToString()
    return content


def _add(output: str = "label") -> NodeProto:
    return helper.make_node("Add", ["Age", "elsewhere"], [output])


def _constant(location: str) -> NodeProto:
    return helper.make_node("Constant", [], ["elsewhere"], value=_tensor(location))


def _encoder(location: str, source: str = "Age", output: str = "label") -> NodeProto:
    tensor = _tensor(location)
    return helper.make_node(
        *("LabelEncoder", [source], [output]),
        domain="ai.onnx.ml",
        keys_tensor=tensor,
        values_tensor=tensor,
    )


def _branches(nodes: list[NodeProto], initializers: tuple[TensorProto, ...] = ()) -> bytes:
    output = [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)]
    branch = helper.make_graph(nodes, "branch", [], output, list(initializers))
    truth = helper.make_tensor("truth", TensorProto.BOOL, [], [True])
    choice = helper.make_node("If", ["truth"], ["label"], then_branch=branch, else_branch=branch)
    return _model([choice], (truth,))


def _function(nodes: list[NodeProto]) -> bytes:
    function = helper.make_function("ours", "F", ["Age"], ["label"], nodes, _OPSETS[:2])
    call = helper.make_node("F", ["Age"], ["label"], domain="ours")
    return _model([call], functions=(function,))


def _list_of_tensors(location: str) -> bytes:
    node = helper.make_node("Identity", ["Age"], ["label"])
    node.attribute.append(
        AttributeProto(name="all", type=AttributeProto.TENSORS, tensors=[_tensor(location)])
    )
    return _model([node])


_IDENTITY = helper.make_node("Identity", ["Age"], ["label"])

PLACES: dict[str, Callable[[str], bytes]] = {
    "initializer": lambda at: _model([_add()], (_tensor(at),)),
    "unused initializer": lambda at: _model([_IDENTITY], (_tensor(at),)),
    "constant": lambda at: _model([_constant(at), _add()]),
    "attribute": lambda at: _model([_encoder(at)]),
    "list of tensors": _list_of_tensors,
    "sparse initializer": lambda at: _model([_add()], sparse=(_sparse(at),)),
    "sparse constant": lambda at: _model(
        [helper.make_node("Constant", [], ["elsewhere"], sparse_value=_sparse(at)), _add()]
    ),
    "initializer of a branch": lambda at: _branches([_add("inner")], (_tensor(at),)),
    "constant of a branch": lambda at: _branches([_constant(at), _add("inner")]),
    "attribute in a branch": lambda at: _branches([_encoder(at, output="inner")]),
    "constant of a function": lambda at: _function([_constant(at), _add()]),
    "attribute in a function": lambda at: _function([_encoder(at)]),
}
"""Where the tensor is -> the model's bytes, for the location of its file."""


def with_external_data(content: bytes, location: str) -> bytes:
    """A sound model with one more tensor, which nothing uses and which is in that file."""
    model = onnx.load_from_string(content)
    model.graph.initializer.append(_tensor(location))
    changed: bytes = model.SerializeToString()
    return changed
