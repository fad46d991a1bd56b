import pytest

from api.serving.served_model import ServedModel, ServedModelHolder, compiled, served_model
from shared.errors import NoModelYet, VersionNotServable
from shared.schema.features import Feature
from shared.schema.schema import Schema
from shared.versions.onnx_model import OnnxModel
from tests.support import titanic
from tests.support.versions import exported_pipeline


@pytest.fixture(scope="module")
def served() -> ServedModel:
    model = OnnxModel(exported_pipeline(), titanic.SCHEMA)
    return titanic.served_model("20260102-030405-abcdef", model)


def test_before_the_first_model_a_prediction_says_how_to_get_one() -> None:
    holder = ServedModelHolder()
    assert holder.version is None
    with pytest.raises(NoModelYet, match="PUT /run-pipeline"):
        served_model(holder)


def test_what_is_held_is_what_is_served(served: ServedModel) -> None:
    holder = ServedModelHolder()
    holder.current = served
    assert holder.version == served.version
    assert served_model(holder) is served


def test_a_served_model_keeps_its_version(served: ServedModel) -> None:
    with pytest.raises(AttributeError):
        served.version = "another"  # type: ignore[misc]


def test_a_schema_that_no_request_can_be_read_by_is_a_version_that_is_refused() -> None:
    schema = titanic.schema_of([Feature(name="size", kind="category", required=True)])
    model = OnnxModel(exported_pipeline(), titanic.SCHEMA)
    with pytest.raises(VersionNotServable, match="20260102-030405-abcdef: no requests can be read"):
        titanic.served_model("20260102-030405-abcdef", model, schema)


def test_what_was_made_of_a_schema_is_taken_over_by_the_next_version(served: ServedModel) -> None:
    def fail(schema: Schema) -> bytes:
        raise AssertionError("the document was made again")

    model = OnnxModel(exported_pipeline(), titanic.SCHEMA)
    again = titanic.SCHEMA.model_validate_json(titanic.SCHEMA.model_dump_json())
    found = compiled("20260102-030406-abcdef", again, model, fail, before=served)
    assert found.version == "20260102-030406-abcdef" and found.model is model
    assert found.answered_always["model_version"] == found.version
    assert (found.decoder, found.openapi) == (served.decoder, served.openapi)


@pytest.mark.parametrize(
    "changed",
    [{"classes": (False, True), "positive": True}, {"examples": ()}, {"target": "Perished"}],
)
def test_of_another_schema_all_is_made_again(
    served: ServedModel, changed: dict[str, object]
) -> None:
    other = titanic.SCHEMA.model_copy(update=changed)
    model = OnnxModel(exported_pipeline(), titanic.SCHEMA)
    found = compiled("20260102-030406-abcdef", other, model, lambda _: b"other", before=served)
    assert found.openapi == b"other" and found.schema is other
    assert found.decoder is not served.decoder
