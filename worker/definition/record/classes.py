"""The class of a record: found in its module, and refused if it has more than fields."""

from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any, get_origin

import typing_extensions
from pydantic import BaseModel, RootModel
from typing_extensions import get_original_bases, is_typeddict

from shared.errors import DefinitionBroken
from worker.definition.package import NAME

_CONFIG: dict[str, tuple[object, ...]] = {
    "extra": ("forbid",),
    "strict": (True,),
    "allow_inf_nan": (False,),
}
"""Settings of Pydantic that say what holds anyway."""
_CONFIG_UNHEEDED = {
    "use_attribute_docstrings",
    "frozen",
    "json_schema_extra",
    "protected_namespaces",
}
"""Settings that no value is checked by."""
_SHOWN = {"__repr__", "__str__", "__rich_repr__", "__eq__", "__hash__", "__repr_args__"}
_DECORATORS = {
    "validators": "validator",
    "field_validators": "field_validator",
    "root_validators": "root_validator",
    "model_validators": "model_validator",
    "computed_fields": "computed_field",
    "field_serializers": "field_serializer",
    "model_serializers": "model_serializer",
}


def record_of(module: ModuleType) -> type:
    """Return the one class of a row that a module has. Raises DefinitionBroken."""
    there = [value for value in vars(module).values() if isinstance(value, type)]
    own = [value for value in dict.fromkeys(there) if value.__module__ == module.__name__]
    found = [value for value in own if _is_record(value)]
    if not found:
        # It may be written in another file of the folder.
        found = [v for v in there if _is_record(v) and v.__module__.startswith(f"{NAME}.")]
    bases = {base for value in found for base in _bases(value)}
    found = [value for value in found if value not in bases]
    if not found:
        others = [value.__name__ for value in own]
        raise DefinitionBroken(
            "expected a class, a row of the table, that is a pydantic BaseModel or a TypedDict; "
            f"found {', '.join(others[:5]) + ', which is neither' if others else 'none'}; write "
            "class <Name>(BaseModel) with a field for each column"
        )
    if len(found) > 1:
        names = ", ".join(value.__name__ for value in found[:5])
        raise DefinitionBroken(
            f"expected one class, a row of the table, found {names}; keep one (a field cannot be "
            "a class, so write its fields one by one)"
        )
    _check(found[0])
    return found[0]


def _is_record(value: Any) -> bool:
    return is_typeddict(value) or issubclass(value, BaseModel)


def _bases(record: type) -> set[Any]:
    """Return what a class inherits from; a TypedDict forgets it but for its original bases."""
    if not is_typeddict(record):
        return {*record.__mro__[1:]}
    found: set[Any] = set()
    for base in get_original_bases(record):
        base = get_origin(base) or base
        if is_typeddict(base):
            found |= {base, *_bases(base)}
    return found


def _check(record: type) -> None:
    """Raise DefinitionBroken for whatever a class has that a serving process could not keep."""
    if issubclass(record, BaseModel):
        _check_model(record)
        config: Mapping[str, Any] = record.model_config
    else:
        _check_typed_dict(record)
        config = getattr(record, "__pydantic_config__", {})
    for setting, value in config.items():
        if setting in _CONFIG_UNHEEDED or value in _CONFIG.get(setting, ()):
            continue
        raise DefinitionBroken(
            f"{record.__name__}: expected no settings of Pydantic's (records are strict, and other "
            f"fields are forbidden, anyway), found {setting}={value!r}; remove it"
        )


def _check_model(record: type[BaseModel]) -> None:
    name = record.__name__
    if issubclass(record, RootModel):
        raise DefinitionBroken(f"{name}: expected a BaseModel with fields, found a RootModel")
    if record.__pydantic_generic_metadata__["parameters"]:
        raise DefinitionBroken(
            f"{name}: expected a class with fields of certain types, found a generic one; write "
            "the types"
        )
    for group, called in _DECORATORS.items():
        for method in getattr(record.__pydantic_decorators__, group, {}):
            raise DefinitionBroken(
                f"{name}.{method}: expected no {called}, because no serving process, table or "
                "tensor would be checked by it; remove it, and say what you can by types and bounds"
            )
    for attribute in record.__private_attributes__:
        raise DefinitionBroken(
            f"{name}.{attribute}: expected fields, found a private attribute, which no record has; "
            "remove it (in a TypedDict, the name of a field may begin with an underscore)"
        )
    for klass in record.__mro__:
        if klass in BaseModel.__mro__:
            continue
        for attribute, value in vars(klass).items():
            is_code = isinstance(value, FunctionType | classmethod | staticmethod | property)
            hook = hasattr(BaseModel, attribute) or attribute in ("__get_validators__", "__init__")
            # Pydantic itself gives classes some of these.
            made = getattr(value, "__module__", klass.__module__) != klass.__module__
            if is_code and hook and not made and attribute not in _SHOWN:
                raise DefinitionBroken(
                    f"{name}.{attribute}: expected fields, found a method that changes how a "
                    "record is read, which a serving process could not keep; remove it"
                )


def _check_typed_dict(record: type) -> None:
    name = record.__name__
    if getattr(record, "__parameters__", ()):
        raise DefinitionBroken(
            f"{name}: expected a class with fields of certain types, found a generic one; write "
            "the types"
        )
    extra = getattr(record, "__extra_items__", None)
    if extra not in (
        None,
        getattr(typing_extensions, "NoExtraItems", None),
        typing_extensions.Never,
    ):
        raise DefinitionBroken(
            f"{name}: expected no extra_items, because other fields are forbidden; remove it"
        )
    for base in (record, *_bases(record)):
        for attribute, value in vars(base).items():
            if not attribute.startswith("__") or attribute in base.__annotations__:
                raise DefinitionBroken(
                    f"{name}.{attribute}: expected a type alone, found the value "
                    f"{repr(value)[:60]}; a TypedDict has neither defaults nor methods, so remove "
                    "it"
                )
