"""The operator that adds up what the leaves of all trees say, for any kind of trees.

A missing value goes the way that the tree has learned. A number that equals a threshold goes the
way that scikit-learn sends it: a threshold is rounded down to float32, because no float32 lies
between the two.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from worker.training.converters.graph import DOUBLE, ML, Graph


@dataclass(frozen=True)
class Leaf:
    """What a row that ends here adds to each target: pairs of target and number."""

    adds: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Split:
    """A question to one column; `left` and `right` are places in the list of the tree's nodes.

    A number goes left if it is at most `threshold`; with `members`, if it equals one of these.
    """

    column: int
    threshold: float
    left: int
    right: int
    missing_left: bool
    members: Sequence[float] | None = None


Tree = Sequence[Leaf | Split]
"""The nodes of a tree; the first is its root."""


def ensemble(graph: Graph, rows: str, element: int, trees: Iterable[Tree], targets: int) -> str:
    """Append the trees and return the name of their sums, float32 of shape (rows, targets).

    `element` is the type of `rows`. With DOUBLE the thresholds stay as they are.
    """
    made = _Attributes()
    for number, tree in enumerate(trees):
        made.add_tree(number, tree)
    return graph.put(
        "TreeEnsembleRegressor",
        rows,
        domain=ML,
        n_targets=targets,
        aggregate_function="SUM",
        post_transform="NONE",
        **made.values(element == DOUBLE),
    )


def rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return for each threshold the largest float32 that is not above it."""
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    down: NDArray[np.float32] = np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return down


class _Attributes:
    """The attributes of the operator: one list per property of a node or leaf."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = defaultdict(list)

    def add_tree(self, number: int, tree: Tree) -> None:
        unused = len(tree)
        for place, node in enumerate(tree):
            if isinstance(node, Leaf):
                self._node(number, place, 0, "LEAF", 0.0, 0, 0, 0)
                for target, weight in node.adds:
                    self._add("target", treeids=number, nodeids=place, ids=target, weights=weight)
            elif node.members is None:
                self._node(
                    *(number, place, node.column, "BRANCH_LEQ", node.threshold),
                    *(node.left, node.right, int(node.missing_left)),
                )
            elif not node.members:
                # No number is below all others, and a missing value is not either.
                self._node(
                    *(number, place, node.column, "BRANCH_LT", -np.inf),
                    *(node.left, node.right, 0),
                )
            else:
                unused = self._add_members(number, place, node.members, node, unused)

    def _add_members(
        self, number: int, place: int, members: Sequence[float], node: Split, unused: int
    ) -> int:
        """Add one comparison per member, each of which leads to the same node if it holds.

        A missing value equals no member, so it goes where the last comparison leads.
        """
        for rest in range(len(members) - 1, -1, -1):
            otherwise = unused if rest else node.right
            self._node(
                *(number, place, node.column, "BRANCH_EQ", members[-1 - rest]),
                *(node.left, otherwise, 0),
            )
            place, unused = otherwise, unused + (rest > 0)
        return unused

    def _node(
        self,
        tree: int,
        place: int,
        column: int,
        mode: str,
        value: float,
        yes: int,
        no: int,
        missing: int,
    ) -> None:
        self._add("nodes", treeids=tree, nodeids=place, featureids=column, modes=mode)
        self._add("nodes", values=float(value), truenodeids=yes, falsenodeids=no)
        self._add("nodes", missing_value_tracks_true=missing)

    def _add(self, prefix: str, **values: Any) -> None:
        for name, value in values.items():
            self._lists[f"{prefix}_{name}"].append(value)

    def values(self, double: bool) -> dict[str, Any]:
        made = dict(self._lists)
        thresholds = np.array(made.pop("nodes_values"), np.float64)
        if not double:
            return made | {"nodes_values": rounded_down(thresholds).tolist()}
        weights = np.array(made.pop("target_weights"), np.float64)
        return made | {
            "nodes_values_as_tensor": numpy_helper.from_array(thresholds),
            "target_weights_as_tensor": numpy_helper.from_array(weights),
        }
