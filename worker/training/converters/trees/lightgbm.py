"""LightGBM's trees, read from what a booster says of itself; LightGBM is not imported."""

import math
from collections.abc import Iterator
from typing import Any

from worker.training.converters.graph import DOUBLE, FLOAT
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor
from worker.training.converters.trees.forests import with_the_other
from worker.training.converters.trees.operator import Leaf, Split, ensemble

_LIKE_NUMBERS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
_ZERO = 1.0000000180025095e-35
"""LightGBM reads a number that is no larger than this, and no smaller than its opposite, as zero.
"""
_EXPONENTIAL = ("poisson", "gamma", "tweedie")


def is_lightgbm(model: Any) -> bool:
    """Return whether LightGBM fitted the model."""
    return type(model).__module__.partition(".")[0] == "lightgbm"


def probabilities(model: Any, table: Table, step: Step) -> str:
    """Return the probability of each class."""
    graph, (raw, objective, options) = table.graph, _sums(model, table, step)
    slope = float(options.get("sigmoid", 1.0))
    if objective == "binary":
        answer = graph.put("Sigmoid", graph.put("Mul", raw, graph.floats(slope)))
        return with_the_other(table, answer)
    if objective == "multiclass":
        return graph.put("Softmax", raw, axis=1)
    step.refuse(model, f"its objective {objective} has no conversion", "binary or multiclass")


def number(model: Any, table: Table, step: Step) -> str:
    """Return a regression's answers."""
    raw, objective, options = _sums(model, table, step)
    if objective in _EXPONENTIAL:
        return table.graph.put("Exp", raw)
    if objective not in _LIKE_NUMBERS or "sqrt" in options:
        known = ", ".join((*_LIKE_NUMBERS, *_EXPONENTIAL))
        step.refuse(model, f"its objective {objective} has no conversion", f"one of {known}")
    return raw


def _sums(model: Any, table: Table, step: Step) -> tuple[str, str, dict[str, str]]:
    """Return the trees' sums, the objective and its options."""
    dump = model.booster_.dump_model()
    objective, *words = dump.get("objective", "custom").split()
    options = {name: value for name, _, value in (word.partition(":") for word in words)}
    if dump.get("pandas_categorical"):
        step.refuse(
            model,
            "it reads pandas' categories",
            "OrdinalEncoder before it, and categorical_feature with the columns' places",
        )
    trees = [_tree(model, tree["tree_structure"], step) for tree in dump["tree_info"]]
    categories = {
        node.column
        for tree in trees
        for node in tree
        if isinstance(node, Split) and node.members is not None
    }
    targets = int(dump["num_tree_per_iteration"])
    share = len(trees) // targets if dump.get("average_output") else 1
    rows = _whole(table, categories)
    weighted = (_of_target(tree, i % targets, share) for i, tree in enumerate(trees))
    element = DOUBLE if table.element == DOUBLE else FLOAT
    return (
        ensemble(table.graph, rows.joined(element), element, weighted, targets),
        objective,
        options,
    )


def _whole(table: Table, columns: set[int]) -> Table:
    """Return the table with these columns' fractions cut off, as LightGBM reads a category."""
    graph, tensors = table.graph, list[Tensor]()
    if not columns:
        return table
    for column in range(table.width):
        (tensor,) = table.select([column]).tensors
        if column in columns:
            floor = graph.put("Floor", graph.put("Abs", tensor.name))
            name = graph.put("Mul", graph.put("Sign", tensor.name), floor)
            tensor = Tensor(name, tensor.element, 1)
        tensors.append(tensor)
    return table.then(table.sample, *tensors)


def _tree(model: Any, root: dict[str, Any], step: Step) -> list[Leaf | Split]:
    """Return the nodes of a tree; each leaf adds to the first target."""
    structures, nodes = [root], list[Leaf | Split]()
    for structure in _unfolded(structures):
        if "leaf_coeff" in structure:
            step.refuse(model, "linear_tree=True has no conversion", "linear_tree=False")
        if "split_feature" not in structure:
            nodes.append(Leaf([(0, float(structure["leaf_value"]))]))
            continue
        left, right = structure["places"]
        column, missing = int(structure["split_feature"]), structure["missing_type"]
        if missing == "Zero":
            step.refuse(model, "zero_as_missing=True has no conversion", "zero_as_missing=False")
        if structure["decision_type"] == "==":
            members = [float(value) for value in str(structure["threshold"]).split("||")]
            nodes.append(Split(column, 0.0, left, right, False, members))
            continue
        threshold = _beyond_zero(float(structure["threshold"]))
        # A gap is a zero where the training data had none.
        is_left = bool(structure["default_left"]) if missing == "NaN" else threshold > 0
        nodes.append(Split(column, threshold, left, right, is_left))
    return nodes


def _beyond_zero(threshold: float) -> float:
    """Return the threshold that says the same of numbers whose smallest are not yet zero."""
    if -_ZERO <= threshold < 0:
        return math.nextafter(-_ZERO, -math.inf)
    return max(threshold, _ZERO) if threshold >= 0 else threshold


def _unfolded(structures: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a tree's nodes, the root first, each split with the places of its two children."""
    place = 0
    while place < len(structures):
        structure = structures[place]
        if "split_feature" in structure:
            structures += [structure["left_child"], structure["right_child"]]
            structure["places"] = (len(structures) - 2, len(structures) - 1)
        yield structure
        place += 1


def _of_target(nodes: list[Leaf | Split], target: int, share: int) -> list[Leaf | Split]:
    return [
        Leaf([(target, weight / share) for _, weight in node.adds])
        if isinstance(node, Leaf)
        else node
        for node in nodes
    ]
