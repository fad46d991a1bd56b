"""An ONNX graph under construction: nodes, constants, and whole models that are put inside."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

ML = "ai.onnx.ml"
OPSETS = {"": 22, ML: 3}
"""What all nodes are written for. The trees of boosters, and ours, need version 3 of `ML`."""

FLOAT = int(TensorProto.FLOAT)
DOUBLE = int(TensorProto.DOUBLE)
INT64 = int(TensorProto.INT64)
STRING = int(TensorProto.STRING)


class Graph:
    """Nodes in the order of computation. Names of `reserved` are given to no tensor inside."""

    def __init__(self, reserved: Sequence[str] = ()) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._functions: dict[tuple[str, str], FunctionProto] = {}
        self._domains: dict[str, int] = dict(OPSETS)
        self._reserved = set(reserved)
        self._names = 0

    def _name(self, hint: str) -> str:
        while True:
            self._names += 1
            name = f"{hint}_{self._names}"
            if name not in self._reserved:
                return name

    def put(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = self._name(operator)
        self._nodes.append(
            helper.make_node(operator, inputs, [output], output, domain=domain, **attributes)
        )
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """Return the name of a tensor with these values; strings are an array of objects."""
        name = self._name("constant")
        if values.dtype == object:
            encoded: Any = [str(value).encode() for value in values.ravel()]
            tensor = helper.make_tensor(name, STRING, values.shape, encoded)
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        self._constants.append(tensor)
        return name

    def floats(self, *values: float) -> str:
        """Return the name of a vector of float32."""
        return self.constant(np.array(values, np.float32))

    def splice(self, model: ModelProto, inputs: Mapping[str, str]) -> list[tuple[str, int]]:
        """Put a whole model inside, fed by `inputs` (its name of a tensor -> ours).

        Returns the name and the element type of each of its outputs.
        """
        prefix = self._name("part")
        names = dict(inputs)

        def renamed(name: str) -> str:
            return names.setdefault(name, f"{prefix}/{name}") if name else ""

        for node in model.graph.node:
            self._nodes.append(_renamed_node(node, renamed))
        for constant in model.graph.initializer:
            copied = TensorProto()
            copied.CopyFrom(constant)
            copied.name = renamed(constant.name)
            self._constants.append(copied)
        for function in model.functions:
            self._functions[function.domain, function.name] = function
        for opset in model.opset_import:
            self._domains.setdefault(opset.domain, opset.version)
        return [
            (renamed(output.name), output.type.tensor_type.elem_type)
            for output in model.graph.output
        ]

    def model(
        self,
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        sources: Sequence[str],
    ) -> ModelProto:
        """Return the model whose outputs are the tensors `sources`, without what none needs."""
        for source, output in zip(sources, outputs, strict=True):
            self._nodes.append(helper.make_node("Identity", [source], [output.name], output.name))
        nodes = _without_identities(self._nodes, {output.name for output in outputs})
        nodes = _needed(nodes, {output.name for output in outputs})
        used = {name for node in nodes for name in _read(node)}
        constants = [constant for constant in self._constants if constant.name in used]
        domains = {node.domain for node in _all_nodes(nodes)} | {""}
        opsets = {
            domain: version
            for domain, version in self._domains.items()
            if domain in domains or self._functions
        }
        return helper.make_model(
            helper.make_graph(nodes, "lifeboat", inputs, outputs, constants),
            producer_name="lifeboat",
            opset_imports=[helper.make_opsetid(*opset) for opset in opsets.items()],
            functions=list(self._functions.values()),
            ir_version=helper.find_min_ir_version_for(
                [helper.make_opsetid(*opset) for opset in opsets.items()], ignore_unknown=True
            ),
        )


def _renamed_node(node: NodeProto, renamed: Any) -> NodeProto:
    """Return the node with all names of tensors changed, also those of graphs inside."""
    copied = NodeProto()
    copied.CopyFrom(node)
    copied.name = renamed(node.name)
    copied.input[:] = [renamed(name) for name in node.input]
    copied.output[:] = [renamed(name) for name in node.output]
    for body in _bodies(copied):
        for value in (*body.input, *body.output, *body.value_info, *body.initializer):
            value.name = renamed(value.name)
        changed = [_renamed_node(inner, renamed) for inner in body.node]
        del body.node[:]
        body.node.extend(changed)
    return copied


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _all_nodes(nodes: Sequence[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for body in _bodies(node):
            yield from _all_nodes(body.node)


def _read(node: NodeProto) -> Iterator[str]:
    """Yield the tensors that a node reads, also inside; too many do no harm."""
    yield from node.input
    for body in _bodies(node):
        yield from (output.name for output in body.output)
        for inner in body.node:
            yield from _read(inner)


def _without_identities(nodes: Sequence[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """Return the nodes without those that only give a tensor another name.

    A tensor that becomes an output is given the output's name where it is made.
    """
    made = {name for node in nodes for name in node.output}
    inside = {name for node in nodes for body in _bodies(node) for name in _all_read(body)}
    names: dict[str, str] = {}
    kept: list[NodeProto] = []
    for node in nodes:
        if node.op_type == "Identity" and not node.domain:
            source, name = node.input[0], node.output[0]
            source = _final(names, source)
            if name not in outputs and name not in inside:
                names[name] = source
                continue
            if (
                name in outputs
                and source in made
                and source not in outputs
                and source not in inside
            ):
                names[source] = name
                for earlier in kept:
                    earlier.output[:] = [names.get(one, one) for one in earlier.output]
                continue
        kept.append(node)
    for node in kept:
        node.input[:] = [_final(names, name) for name in node.input]
    return kept


def _final(names: Mapping[str, str], name: str) -> str:
    while name in names:
        name = names[name]
    return name


def _all_read(body: GraphProto) -> Iterator[str]:
    yield from (output.name for output in body.output)
    for node in body.node:
        yield from _read(node)


def _needed(nodes: Sequence[NodeProto], wanted: set[str]) -> list[NodeProto]:
    """Return the nodes that the wanted tensors depend on."""
    wanted = set(wanted)
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_read(node))
    return kept[::-1]
