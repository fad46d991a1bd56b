"""record.py: every rule that a class can state is kept, or refused by its name."""

import pytest

from shared.errors import DefinitionBroken
from shared.schema.schema import Kind
from tests.unit.worker.definition.conftest import REGRESSION, Read


def sentence(refused: pytest.ExceptionInfo[DefinitionBroken]) -> str:
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 700
    assert said.count("things/") == 1, said
    return said


def field(declaration: str) -> str:
    return f"class Thing(BaseModel):\n    mass: {declaration}\n    y: Literal[0, 1]\n"


def typed(declaration: str) -> str:
    return (
        f"class Thing(TypedDict, total=False):\n    mass: {declaration}\n"
        "    y: Required[Literal[0, 1]]\n"
    )


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declaration",
    [
        "Annotated[float, Field(ge=0, lt=9, description='Grams.')] | None",
        "Annotated[float | None, Field(ge=0, lt=9, description='Grams.')]",
        "Optional[Annotated[float, Field(lt=9), Field(ge=0, description='Grams.')]]",
    ],
)
def test_bounds_and_a_description_are_kept_however_they_are_written(
    read_class: Read, declaration: str
) -> None:
    for code in (typed(declaration), field(f"{declaration} = None")):
        (mass,) = read_class(code).schema.features
        assert (mass.minimum, mass.below, mass.description) == (0, 9, "Grams.")
        assert not (mass.required or mass.whole)


def test_a_field_function_says_the_same(read_class: Read) -> None:
    code = field("float | None = Field(None, ge=0, le=9, description='Grams.')")
    (mass,) = read_class(code).schema.features
    assert (mass.minimum, mass.maximum, mass.description) == (0, 9, "Grams.")


@pytest.mark.parametrize(
    ("declaration", "kind", "whole", "required"),
    [
        ("float", "number", False, True),
        ("int", "number", True, True),
        ("float = Field(multiple_of=1)", "number", True, True),
        ("Annotated[float, Strict()]", "number", False, True),
        ("PositiveInt", "number", True, True),
        ("FiniteFloat", "number", False, True),
        ("int | None = None", "number", True, False),
    ],
)
def test_a_number_is_whole_and_required_as_its_type_says(
    read_files: Read, declaration: str, kind: str, whole: bool, required: bool
) -> None:
    record = (
        "from typing import *\nfrom pydantic import *\nTARGET = 'y'\n"
        + field(declaration)
        + "EXAMPLES = [{'mass': 1}, {'mass': 2.0}]"
    )
    (mass,) = read_files(record).schema.features
    assert (mass.kind, mass.whole, mass.required) == (kind, whole, required)


def test_a_docstring_is_the_description_and_that_of_a_base_is_not(read_class: Read) -> None:
    assert read_class(field("float | None = None")).schema.description == ""
    code = field("float | None = None").replace(":\n", ':\n    """A thing.\n\n    Or two."""\n', 1)
    assert read_class(code).schema.description == "A thing.\n\nOr two."


def test_docstrings_of_fields_are_descriptions_if_the_class_says_so(read_class: Read) -> None:
    code = (
        "class Thing(BaseModel):\n    model_config = ConfigDict(use_attribute_docstrings=True)\n"
        '    mass: float | None = None\n    """Grams."""\n    y: Literal[0, 1]\n'
    )
    assert read_class(code).schema.features[0].description == "Grams."


def test_what_holds_anyway_may_be_said(read_class: Read) -> None:
    config = "ConfigDict(extra='forbid', strict=True, allow_inf_nan=False)"
    code = f"class Thing(BaseModel):\n    model_config = {config}\n    mass: float | None = None\n"
    assert read_class(code + "    y: Literal[0, 1]\n    K: ClassVar[int] = 3\n").schema.features
    assert read_class(f"@with_config({config})\n" + typed("float | None")).schema.features


def test_a_class_may_inherit_fields(read_class: Read) -> None:
    model = "class Base(BaseModel):\n    mass: float | None = None\n"
    assert read_class(model + "class Thing(Base):\n    y: Literal[0, 1]\n").schema.record == "Thing"
    typed_dict = "class Base(TypedDict, total=False):\n    mass: float | None\n"
    found = read_class(typed_dict + "class Thing(Base):\n    y: Literal[0, 1]\n").schema
    assert (found.record, found.features[0].required) == ("Thing", False)


def test_a_name_may_be_anything_that_a_column_can_be_called(read_files: Read) -> None:
    record = (
        "from typing import *\nfrom typing_extensions import TypedDict\nTARGET = 'is it?'\n"
        "Thing = TypedDict('Thing', {'class': NotRequired[float | None], '_x': float,"
        " 'größe (cm)': int, 'is it?': bool})\n"
        "EXAMPLES = [{'_x': 1, 'größe (cm)': 3}, {'_x': 0.5, 'größe (cm)': 4, 'class': None}]"
    )
    names = [feature.name for feature in read_files(record).schema.features]
    assert names == ["class", "_x", "größe (cm)"]


# --- the target ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "kind", "classes", "positive"),
    [
        ("Literal[0, 1]", Kind.BINARY, (0, 1), 1),
        ("Literal[1, 0]", Kind.BINARY, (0, 1), 0),
        ("Literal['yes', 'no']", Kind.BINARY, ("no", "yes"), "no"),
        ("bool", Kind.BINARY, (False, True), True),
        ("Literal[True, False]", Kind.BINARY, (False, True), True),
        ("Literal['b', 'a', 'c']", Kind.MULTICLASS, ("a", "b", "c"), None),
        ("Literal[10, 9, -1]", Kind.MULTICLASS, (-1, 9, 10), None),
    ],
)
def test_labels_are_sorted_and_the_second_is_the_positive_one(
    read_class: Read, target: str, kind: Kind, classes: tuple[object, ...], positive: object
) -> None:
    found = read_class(f"class Thing(BaseModel):\n    mass: float | None = None\n    y: {target}")
    schema = found.schema
    assert (schema.kind, schema.classes) == (kind, classes)
    assert (schema.positive, type(schema.positive)) == (positive, type(positive))
    assert [type(label) for label in schema.classes] == [type(label) for label in classes]
    assert found.target is None


def test_a_number_is_a_regression_within_its_bounds(read_class: Read) -> None:
    code = "class Thing(BaseModel):\n    mass: float | None = None\n    y: int = Field(ge=0)"
    found = read_class(code, REGRESSION)
    assert (found.schema.kind, found.schema.classes) == (Kind.REGRESSION, ())
    assert found.target is not None
    assert found.target.expected == "a whole number at least 0"


def test_positive_chooses_the_other_label(read_class: Read) -> None:
    code = "class Thing(BaseModel):\n    mass: float | None = None\n    y: Literal['a', 'b']\n"
    assert read_class(code + "POSITIVE = 'a'").schema.positive == "a"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("Literal['a']", "two labels or more, found 'a' alone"),
        ("Literal['a', 1]", "labels of one type, found int and str"),
        ("Literal[0, True]", "labels of one type, found bool and int"),
        ("Literal['a', None]", "found None; each row needs a label"),
        ("Literal['a', ' b']", "without blanks around"),
        ("Literal['a', '']", "a visible character"),
        ("Literal['a', b'b']", "found b'b'"),
        ("Literal[1, 9007199254740993]", r"2\*\*53"),
        ("Literal['a', 'b'] | None", "required and without None"),
        ("Literal['a', 'b'] = 'a'", "no default but None"),
        ("Literal['a', 'b'] | None = None", "required and without None"),
        ("str", "found a str, which is any text"),
        ("date", "found a date|not defined"),
        ("list[float]", "found a list"),
        ("float | None = None", "required and without None"),
        ("float = Field(ge=2, lt=2)", "bounds that some number keeps"),
        ("Literal[tuple(range(201))]", "at most 200 labels, found 201"),
        ("int | str", "several types"),
    ],
)
def test_another_target_is_refused(read_class: Read, target: str, said: str) -> None:
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_class(f"class Thing(BaseModel):\n    mass: float | None = None\n    y: {target}")
    sentence(refused)


@pytest.mark.parametrize(
    ("target", "positive", "said"),
    [
        ("Literal['a', 'b']", "'c'", "one of 'a', 'b', found 'c'"),
        ("bool", "1", "one of False, True, found 1"),
        ("Literal[0, 1]", "True", "one of 0, 1, found True"),
        ("Literal['a', 'b', 'c']", "'a'", "y has 3"),
        ("float", "1", "y is a number"),
    ],
)
def test_another_positive_is_refused(
    read_class: Read, target: str, positive: str, said: str
) -> None:
    code = f"class Thing(BaseModel):\n    mass: float | None = None\n    y: {target}\n"
    with pytest.raises(DefinitionBroken, match=f"record.py: POSITIVE: .*{said}") as refused:
        read_class(f"{code}POSITIVE = {positive}\n")
    sentence(refused)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("float = Field(multiple_of=0.5)", "multiple_of=1.*0.5"),
        ("float = Field(strict=False)", "strict"),
        ("float = Field(allow_inf_nan=True)", "allow_inf_nan"),
        ("float = Field(ge=2, lt=2)", "at least 2 and less than 2"),
        ("float = Field(gt=0, lt=1, multiple_of=1)", "whole number more than 0"),
        ("int = Field(gt=0, lt=1)", "whole number more than 0"),
        ("float = Field(ge=float('nan'))", "ge to be a finite number, found nan"),
        ("float = Field(le=float('inf'))", "le to be a finite number, found inf"),
        ("Annotated[float, AfterValidator(abs)]", "AfterValidator"),
        ("Annotated[float, BeforeValidator(abs)]", "BeforeValidator"),
        ("Annotated[float, WrapValidator(lambda v, h: v)]", "WrapValidator"),
        ("Annotated[float, PlainSerializer(abs)]", "PlainSerializer"),
        ("float = 3", "default.*3"),
        ("float = Field(default=3)", "default.*3"),
        ("float = Field(default_factory=float)", "default_factory"),
        ("Annotated[float, Field(default_factory=float)] | None = None", "default_factory"),
        ("Annotated[float, Field(default=3)] | None = None", "default.*3"),
        ("Annotated[float, Field(alias='weight')] | None = None", "alias"),
        ("float = Field(alias='weight')", "alias.*weight"),
        ("float = Field(validation_alias='weight')", "alias.*weight"),
        ("float = Field(serialization_alias='weight')", "alias.*weight"),
        ("float = Field(validation_alias=AliasChoices('a', 'b'))", "alias"),
        ("float | None = Field(None, exclude=True)", "exclude"),
        ("float = Field(frozen=True)", "frozen"),
        ("float | None", "either required or may be null"),
        ("float = None", "optional field to take null"),
        ("float = Field(None, ge=0)", "optional field to take null"),
        ("Literal['a'] = Field(min_length=1)", "MinLen"),
        ("str", "a str, which is any text"),
        ("str = Field(pattern='a')", "pattern"),
        ("str = Field(min_length=3)", "MinLen"),
        ("float = Field(max_digits=3)", "max_digits|line"),
        ("Annotated[float, annotated_types.Predicate(abs)]", "Predicate"),
        ("constr(pattern='a')", "StringConstraints.*pattern='a'"),
        ("bool", "a boolean; write"),
        ("Any", "any value"),
        ("object", "any value|object"),
        ("None = None", "nothing but None"),
        ("bytes", "bytes"),
        ("list[float]", "a list"),
        ("tuple[float, float]", "a tuple"),
        ("dict[str, float]", "a dictionary"),
        ("set[float]", "a set"),
        ("float | str", "several types"),
        ("Literal['a'] | Literal['b']", "several types"),
        ("Literal[0, 1]", "Literal of strings, found one with 0"),
        ("Literal['a', None] = None", r"found one with None; write Literal\[...\] \| None"),
        ("Literal['a', '']", "visible character"),
        ("Literal['a', 'b ']", "without blanks"),
        ("Literal['a', 'b\\nc']", "control characters"),
        ("Literal['a', '\\ud800']", 'Field "mass": error extracting str'),
        ("Literal['a', 'b' * 201]", "at most 200 characters"),
        ("Literal[tuple(map(str, range(1001)))]", "at most 1,000 categories, found 1,001"),
        ("float = Field(description='x' * 1001)", "at most 1,000 characters, found 1,001"),
        ("Decimal", "a Decimal|not defined"),
        ("Json[float]", "Json|the type json"),
        ("SecretStr", "SecretStr"),
        ("Annotated[float, object()]", "found object"),
        ("HttpUrl", "HttpUrl|url"),
        ("Thing | None = None", "a class|Thing"),
        ("Literal['a'] = 'a'", "default.*'a'"),
        ("conlist(float)", "Len"),
        ("NaiveDatetime", "a date"),
        ("complex", "a complex"),
    ],
)
def test_a_field_that_not_every_check_would_keep_is_refused_by_its_name(
    read_class: Read, declaration: str, said: str
) -> None:
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_class("import annotated_types\nfrom decimal import Decimal\n" + field(declaration))
    said_of = sentence(refused)
    assert "mass" in said_of or "line" in said_of


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("float", "optional field to take null"),
        ("Required[float | None]", "either required or may be null"),
        ("Annotated[float, Field(default=3)] | None", "default.*3"),
        ("float | None = 3", "a type alone, found the value 3"),
        ("Annotated[float, AfterValidator(abs)] | None", "AfterValidator"),
        ("datetime.date", "a date"),
        ("Size", "an Enum"),
        ("contextlib.ExitStack", "ExitStack"),
    ],
)
def test_a_field_of_a_typed_dict_is_refused_likewise(
    read_class: Read, declaration: str, said: str
) -> None:
    imports = "import contextlib, datetime, enum\nclass Size(enum.Enum):\n    SMALL = 's'\n"
    with pytest.raises(DefinitionBroken, match=f"mass.*{said}|{said}.*mass") as refused:
        read_class(imports + typed(declaration))
    sentence(refused)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("@field_validator('mass')\n    def check(cls, v): return v", "check.*no field_validator"),
        ("@model_validator(mode='after')\n    def check(self): return self", "no model_validator"),
        ("@computed_field\n    def twice(self) -> float: return 2.0", "twice.*no computed_field"),
        ("@field_serializer('mass')\n    def out(self, v): return v", "no field_serializer"),
        ("@model_serializer\n    def out(self): return {}", "no model_serializer"),
        ("_secret: int = 3", "_secret.*private attribute"),
        ("model_config = ConfigDict(extra='allow')", "extra='allow'"),
        ("model_config = ConfigDict(extra='ignore')", "extra='ignore'"),
        ("model_config = ConfigDict(strict=False)", "strict=False"),
        ("model_config = ConfigDict(str_strip_whitespace=True)", "str_strip_whitespace"),
        ("model_config = ConfigDict(alias_generator=str.upper)", "alias_generator"),
        ("model_config = ConfigDict(populate_by_name=True)", "populate_by_name"),
        ("model_config = ConfigDict(coerce_numbers_to_str=True)", "coerce_numbers_to_str"),
        ("model_config = ConfigDict(nonsense=True)", "nonsense"),
        ("def __init__(self, **kw): super().__init__(**kw)", "__init__.*changes how"),
        ("def model_post_init(self, context): pass", "model_post_init.*changes how"),
        ("@classmethod\n    def model_validate(cls, x): return x", "model_validate.*changes how"),
        (
            "@classmethod\n    def __get_pydantic_core_schema__(cls, s, h): return h(s)",
            "__get_pydantic_core_schema__",
        ),
        ("x = 3", "line .*: cannot be imported: PydanticUserError.*non-annotated"),
        ("z: Nowhere", "line .*NameError.*Nowhere"),
        ("Mass: float", "told apart, found the fields 'mass' and 'Mass'"),
        ("mass_: float = float('x')", "line .*ValueError"),
    ],
)
def test_whatever_else_a_class_has_is_refused_by_its_name(
    read_class: Read, body: str, said: str
) -> None:
    code = (
        f"class Thing(BaseModel):\n    mass: float | None = None\n    y: Literal[0, 1]\n    {body}"
    )
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_class(code)
    sentence(refused)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "expected a class.*found none"),
        ("class Thing:\n    mass: float\n    y: bool", "found Thing, which is neither"),
        ("class Thing(NamedTuple):\n    mass: float\n    y: bool", "found Thing, which is neither"),
        (
            "import dataclasses\n@dataclasses.dataclass\nclass T:\n    y: bool",
            "T, which is neither",
        ),
        (
            "class A(BaseModel):\n    y: bool\nclass B(BaseModel):\n    y: bool",
            "one class.*found A, B",
        ),
        ("class Thing(RootModel[float]): pass", "RootModel"),
        ("T = TypeVar('T')\nclass Thing(BaseModel, Generic[T]):\n    m: T\n    y: bool", "generic"),
        ("T = TypeVar('T')\nclass Thing(TypedDict, Generic[T]):\n    m: T\n    y: bool", "generic"),
        ("import typing\nclass Thing(typing.TypedDict):\n    m: float\n    y: bool", "typing_ext"),
        ("class Thing(BaseModel):\n    y: bool", "a field beside y"),
        ("class Thing(BaseModel): pass", "TARGET: expected one of the fields"),
        ("@with_config(ConfigDict(extra='allow'))\n" + typed("float | None"), "extra='allow'"),
        (
            "class Thing(TypedDict, extra_items=float):\n    m: float\n    y: bool",
            "no extra_items",
        ),
        (typed("'Nowhere'"), "Thing: the type of a field cannot be resolved: NameError.*Nowhere"),
        ("Thing = TypedDict('Thing', {'': float, 'y': bool})", "visible character"),
        ("Thing = TypedDict('Thing', {'a\"b': float, 'y': bool})", "double quotation mark"),
        ("Thing = TypedDict('Thing', {'a\\\\b': float, 'y': bool})", "backslash"),
        ("Thing = TypedDict('Thing', {' a': float, 'y': bool})", "without blanks"),
        ("Thing = TypedDict('Thing', {'a\\nb': float, 'y': bool})", "control characters"),
        ("Thing = TypedDict('Thing', {'a' * 101: float, 'y': bool})", "at most 100 characters"),
        (
            "Thing = TypedDict('Thing', {'\\u00e9': float, 'e\\u0301': float, 'y': bool})",
            "told apart",
        ),
        (
            "Thing = TypedDict('Thing', {f'x{i}': float for i in range(500)} | {'y': bool})",
            "at most 500 fields, target included, found 501",
        ),
        ("Thing = TypedDict('T' * 101, {'x': float, 'y': bool})", "at most 100 characters"),
        ("Thing = TypedDict('Thing', {'x': 3, 'y': bool})", "x: expected|line"),
        (field("float | None = None") + "Thing.__doc__ = 'x' * 4001", "at most 4,000"),
        (
            "from pydantic import create_model\nThing = create_model('Thing', mass=(float, 3.5),"
            " y=(bool, ...))",
            "default",
        ),
    ],
)
def test_another_class_is_refused(read_class: Read, code: str, said: str) -> None:
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_class(code)
    sentence(refused)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('TARGET = "y"', "", "TARGET: expected the name of the field.*found none"),
        ('TARGET = "y"', "TARGET = 3", "TARGET: .*found 3"),
        ('TARGET = "y"', 'TARGET = "z"', "TARGET: expected one of the fields mass, y, found 'z'"),
        ('TARGET = "y"', 'TARGETS = "y"', "found TARGETS, which nothing reads; write TARGET"),
        ("EXAMPLES", "POSITVE = 1\nEXAMPLES", "POSITVE.*POSITIVE"),
        ("EXAMPLES =", "EXAMPLE =", "EXAMPLE.*write EXAMPLES"),
        ("EXAMPLES =", "OTHERS =", "EXAMPLES: expected a list of two requests, found nothing"),
        ("[{", "[{}, {", "expected two requests, found 3"),
        ("[{", "{", "line .*is not valid Python"),
        ('[{"mass": 1.0}, {}]', "{}", "a list of two requests, found a dict"),
        ("{}]", "3]", r"EXAMPLES\[1\]: expected a dictionary"),
        ("{}]", "{'y': 1}]", "does not know y, the target"),
        ("{}]", "{'Mass': 1}]", "unknown field 'Mass'; known are mass"),
        ("{}]", "{'mass': 'heavy'}]", "mass: expected a number, found 'heavy'"),
        ("{}]", "{'mass': True}]", "mass: expected a number, found True"),
        ("{}]", "{'mass': float('nan')}]", "mass: expected a number, found nan"),
        ("{}]", "{'mass': 10 ** 400}]", "mass: expected a number"),
        ("{}]", "{'mass': [1]}]", "mass: expected a number"),
        ("{}]", "{3: 1}]", "unknown field 3"),
    ],
)
def test_other_constants_are_refused(read_files: Read, old: str, new: str, said: str) -> None:
    from tests.unit.worker.definition.conftest import CLASS, RECORD

    record = RECORD.format(code=CLASS)
    assert old in record
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_files(record.replace(old, new, 1))
    sentence(refused)


def test_an_example_may_have_null_and_numbers_of_numpy(read_files: Read) -> None:
    from tests.unit.worker.definition.conftest import CLASS, RECORD

    record = "import numpy as np\n" + RECORD.format(code=CLASS).replace(
        "{}]", "{'mass': np.float32(0.5)}]"
    ).replace("1.0", "None")
    first, second = read_files(record).schema.examples
    assert (first, second, type(second["mass"])) == ({"mass": None}, {"mass": 0.5}, float)


def test_a_missing_value_of_a_required_field_is_refused(read_class: Read) -> None:
    with pytest.raises(DefinitionBroken, match=r"EXAMPLES\[1\]: mass is required") as refused:
        read_class(field("float"))
    sentence(refused)
