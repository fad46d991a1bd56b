"""The fields of a record's class: what of them travels as data, and a refusal of the rest."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import annotated_types
from pydantic import AllowInfNan, BaseModel, Strict, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import Doc, TypedDict

from shared.errors import DefinitionBroken
from worker.definition.record.texts import check_text

MOST_FIELDS = 500
"""Fields of a record, target included. The page has an input, and the model a tensor, for each."""
MOST_NAME = 100
"""Characters of the name of a field or a class."""
MOST_DESCRIPTION = 1_000
"""Characters of what is said of a field; every version's manifest and OpenAPI document has it."""

_KEPT = {"annotation", "default", "description", "ge", "gt", "le", "lt", "multiple_of"}
"""What `Field(...)` may say of a field: what travels with a version."""
_DOCUMENTS = {"title", "examples", "json_schema_extra", "deprecated", "repr"}
"""What it may say, too, because no value is checked by it; nothing is made of it."""
_BOUNDS = (
    annotated_types.Ge,
    annotated_types.Gt,
    annotated_types.Le,
    annotated_types.Lt,
    annotated_types.Interval,
    annotated_types.MultipleOf,
    Strict,
    AllowInfNan,
)
_IF = {"strict": (None, True), "allow_inf_nan": (None, False), "frozen": (None, False)}
"""What it may say if it says what holds anyway."""


@dataclass(frozen=True)
class Declared:
    """One field as its class declares it."""

    name: str
    required: bool
    """Whether a row must have it."""
    nullable: bool
    value: dict[str, Any]
    """Pydantic's core schema of a value that is not None."""
    description: str
    is_model: bool
    """Whether its class is a BaseModel, in which an optional field has the default None."""
    shown: str
    """Its type, as it is written."""

    @property
    def optional(self) -> str:
        """Return how this field is written if it is optional."""
        return "... | None = None" if self.is_model else "NotRequired[... | None]"


def fields_of(record: type) -> list[Declared]:
    """Return the fields of a BaseModel or a TypedDict, in their order.

    Raises DefinitionBroken, with the name of the field, for what would not travel.
    """
    is_model = issubclass(record, BaseModel)
    core = _core(record)
    refs = {one["ref"]: one for one in core.get("definitions", ())}
    if core["type"] == "definitions":
        core = core["schema"]
    while core["type"] in ("model", "definition-ref"):
        core = refs[core["schema_ref"]] if core["type"] == "definition-ref" else core["schema"]
    if core["type"] not in ("model-fields", "typed-dict"):
        raise DefinitionBroken(
            f"{record.__name__}: expected a class without validators of its own, found "
            f"{core['type']}; remove what checks or changes a whole record"
        )
    hints = get_type_hints(record, include_extras=True)
    infos: dict[str, FieldInfo] = getattr(record, "__pydantic_fields__", {})
    fields = []
    for name, field in core["fields"].items():
        said = [*_infos(hints[name], name), *([infos[name]] if is_model else [])]
        for info in said:
            _check_info(info, name)
        if is_model:
            for note in infos[name].metadata:
                _check_note(note, name)
        shown = getattr(hints[name], "__name__", "") or str(hints[name]).replace("typing.", "")
        fields.append(_declared(name, field, said, refs, is_model, shown[:80]))
    _check_names([field.name for field in fields])
    return fields


def _core(record: type) -> Any:
    """Return Pydantic's core schema of a class."""
    try:
        core: Any = TypeAdapter(record).core_schema
        # Of a class that is not fully defined, each access raises.
        core["type"]
        return core
    except Exception as error:
        if "typing_extensions.TypedDict" in str(error):
            raise DefinitionBroken(
                f"{record.__name__}: expected the TypedDict of typing_extensions, found that of "
                "typing, which hides what is Required; write `from typing_extensions import "
                "TypedDict`"
            ) from error
        _find_wrong_field(record)
        raise DefinitionBroken(f"{record.__name__}: {_first_line(error)}; correct it") from error


def _find_wrong_field(record: type) -> None:
    """Raise DefinitionBroken for the first field that has no core schema."""
    try:
        hints = get_type_hints(record, include_extras=True)
    except Exception as error:
        raise DefinitionBroken(
            f"{record.__name__}: the type of a field cannot be resolved: {_first_line(error)}; "
            "import or correct the name"
        ) from error
    for name, hint in hints.items():
        try:
            TypeAdapter(TypedDict("One", {name: hint})).core_schema["type"]  # type: ignore[operator]
        except Exception as error:
            raise DefinitionBroken(
                f"{name}: expected a float, an int or a Literal of strings; {_first_line(error)}; "
                "write one of these"
            ) from error


def _first_line(error: Exception) -> str:
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {said[0][:200].rstrip('.')}" if said else type(error).__name__


def _declared(
    name: str,
    field: Any,
    said: list[FieldInfo],
    refs: dict[str, Any],
    is_model: bool,
    shown: str,
) -> Declared:
    if alias := field.get("validation_alias") or field.get("serialization_alias"):
        raise DefinitionBroken(
            f"{name}: expected a field without an alias, found {alias!r}; name the field as the "
            "column is called (a TypedDict made by a call takes any name)"
        )
    value = _resolved(field["schema"], refs)
    required = field.get("required", True)
    if value["type"] == "default":
        if "default_factory" in value:
            raise DefinitionBroken(
                f"{name}: expected no default_factory; a value that is missing stays missing, so "
                "write None"
            )
        if value.get("default") is not None:
            raise DefinitionBroken(
                f"{name}: expected no default but None, found {value['default']!r}; a value that "
                "is missing stays missing, so write None and let the model fill it in"
            )
        required = False
        value = _resolved(value["schema"], refs)
    nullable = value["type"] == "nullable"
    if nullable:
        value = _resolved(value["schema"], refs)
    texts = [info.description for info in said if info.description]
    description = " ".join(texts[-1].split()) if texts else ""
    if len(description) > MOST_DESCRIPTION:
        raise DefinitionBroken(
            f"{name}: expected a description of at most {MOST_DESCRIPTION:,} characters, found "
            f"{len(description):,}; shorten it"
        )
    return Declared(name, required, nullable, value, description, is_model, shown)


def _resolved(core: Any, refs: dict[str, Any]) -> Any:
    while core["type"] == "definition-ref":
        core = refs[core["schema_ref"]]
    return core


def _infos(hint: Any, name: str) -> Iterator[FieldInfo]:
    """Yield each `Field(...)` in a type; Pydantic itself ignores much of those further in."""
    while hasattr(hint, "__value__"):
        hint = hint.__value__
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        yield from _infos(inner, name)
        for note in notes:
            if isinstance(note, FieldInfo):
                yield note
            elif isinstance(note, Doc):
                yield FieldInfo(description=note.documentation)
            elif not isinstance(note, str):
                _check_note(note, name)
        return
    for inner in get_args(hint):
        if not isinstance(inner, str | int | bytes):
            yield from _infos(inner, name)


def _check_note(note: Any, name: str) -> None:
    """Raise DefinitionBroken for a note to a type that is more than a bound."""
    if isinstance(note, _BOUNDS):
        return
    kind = (note if isinstance(note, type) else type(note)).__name__
    rules = {rule: value for rule, value in getattr(note, "__dict__", {}).items() if value}
    # What Field(...) makes of rules without a class of their own.
    if kind == "PydanticGeneralMetadata":
        if rules.keys() <= _IF.keys():
            return
        kind = "Field"
    found = kind
    if isinstance(note, annotated_types.BaseMetadata | annotated_types.GroupedMetadata):
        found = f"{kind}({', '.join(f'{rule}={value!r}' for rule, value in rules.items())})"[:80]
    raise DefinitionBroken(
        f"{name}: expected Field(...) with bounds or a description, found {found}, which a serving "
        "process could not keep; remove it"
    )


def _check_info(info: FieldInfo, name: str) -> None:
    for rule, value in info._attributes_set.items():
        if rule in _KEPT or rule in _DOCUMENTS or value is None:
            continue
        if rule in _IF and value in _IF[rule]:
            continue
        what = {
            "default_factory": "; a value that is missing stays missing, so write None",
            "alias": "; name the field as its column (a TypedDict made by a call takes any name)",
        }
        raise DefinitionBroken(
            f"{name}: expected ge, gt, le, lt, multiple_of=1 or description, found {rule}="
            f"{str(value)[:60]}, which a serving process could not keep"
            + what.get(rule, "; remove it")
        )
    # Pydantic ignores a default further in.
    default = info._attributes_set.get("default")
    if default is not None and default is not ...:
        raise DefinitionBroken(
            f"{name}: expected no default but None, found {default!r}; a value that is missing "
            "stays missing, so write None and let the model fill it in"
        )


def check_name(name: str) -> None:
    """Raise DefinitionBroken for a name that no field can have."""
    check_text(name, "the name of a field", MOST_NAME)
    # msgspec, which decodes records, takes neither.
    if '"' in name or "\\" in name:
        raise DefinitionBroken(
            f"expected the name of a field to have neither a double quotation mark nor a "
            f"backslash, found {name!r}; rename it, here and in the table"
        )


def _check_names(names: list[str]) -> None:
    """Raise DefinitionBroken for a name that cannot be a column's, or that two fields share."""
    if len(names) > MOST_FIELDS:
        raise DefinitionBroken(
            f"expected at most {MOST_FIELDS} fields, target included, found {len(names)}; leave "
            "out those that say least about the target"
        )
    seen: dict[str, str] = {}
    for name in names:
        check_name(name)
        # A table's column is found by its composed letters.
        key = unicodedata.normalize("NFC", name).casefold()
        if other := seen.get(key):
            raise DefinitionBroken(
                f"expected names that can be told apart, found the fields {other!r} and {name!r}; "
                "rename one, and its column"
            )
        seen[key] = name
