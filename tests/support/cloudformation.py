"""CloudFormation's templates, as Python values."""

from pathlib import Path
from typing import Any

import yaml

Template = dict[str, Any]


def _long_form(loader: Any, tag: str, node: Any) -> dict[str, Any]:
    """Return the long form of a function, such as {"Fn::GetAtt": ["Bucket", "Arn"]}."""
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


def read(path: Path) -> Template:
    """Return a template, in which the short forms of functions, such as `!Ref`, are long."""
    # A class of its own, because functions are added to the class.
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", _long_form)
    template: Template = yaml.load(path.read_text(), loader)
    return template


def filled(value: Any, names: dict[str, str]) -> Any:
    """Return a part of a template with its references to these names filled in."""
    match value:
        case {"Ref": name} if name in names:
            return names[name]
        case {"Fn::Sub": str(text)}:
            for name, text_of_name in names.items():
                text = text.replace(f"${{{name}}}", text_of_name)
            return text
        case dict():
            return {key: filled(item, names) for key, item in value.items()}
        case list():
            return [filled(item, names) for item in value]
        case _:
            return value


def choices(value: Any) -> list[Any]:
    """Return a list's items, and of each `!If` both sides; `AWS::NoValue` is not an item."""
    items = []
    for item in value:
        for side in item["Fn::If"][1:] if isinstance(item, dict) and "Fn::If" in item else [item]:
            if side != {"Ref": "AWS::NoValue"}:
                items.append(side)
    return items


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type such as "ECS::Service", by their names."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }
