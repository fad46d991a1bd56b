import json

import pytest
from pydantic import ValidationError

from shared.schema.schema import Kind
from shared.versions.manifest import VERSION_PATTERN, FileDigest, Manifest, Plot
from tests.support.manifests import manifest
from tests.support.titanic import FEATURES


@pytest.mark.parametrize("name", ["20261123-201455-7f3a9c", "00000000-000000-000000"])
def test_a_time_and_a_random_part_are_a_versions_name(name: str) -> None:
    assert VERSION_PATTERN.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "current.json",
        "20261123-201455-7F3A9C",
        "20261123-201455-7f3a9",
        "20261123-201455-7f3a9cd",
        "20261123_201455-7f3a9c",
        "20261123-201455-7f3a9c\n",
        "../20261123-201455-7f3a9c",
        "20261123-201455-7f3a9c/..",
        # Digits, but not ours.
        "٢٠٢٦١١٢٣-201455-7f3a9c",
    ],
)
def test_nothing_else_is_a_versions_name(name: str) -> None:
    assert not VERSION_PATTERN.fullmatch(name)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    written = manifest()
    assert Manifest.model_validate_json(written.model_dump_json(indent=2)) == written


def test_a_manifest_has_its_schema_and_says_which_inputs_its_model_takes() -> None:
    written = json.loads(manifest().model_dump_json())
    assert manifest().inputs == FEATURES
    assert [field["name"] for field in written["schema"]["features"]] == [f.name for f in FEATURES]
    assert (written["schema"]["kind"], written["schema"]["classes"]) == ("binary", [0, 1])


def test_a_manifest_of_an_earlier_release_is_that_of_two_labels() -> None:
    earlier = json.loads(manifest().model_dump_json())
    del earlier["schema"], earlier["metric"], earlier["higher_is_better"]
    found = Manifest.model_validate_json(json.dumps(earlier))
    schema = found.record_schema
    assert (schema.kind, schema.classes, schema.positive) == (Kind.BINARY, (0, 1), 1)
    assert (schema.features, schema.record_name) == (FEATURES, "record")
    assert schema.examples == ({"Sex": "male"},)
    assert (found.metric, found.higher_is_better) == ("roc_auc", True)


def test_a_field_of_a_later_release_is_ignored_and_a_later_format_refused_in_words() -> None:
    later = json.loads(manifest().model_dump_json())
    later |= {"news": 1, "schema": later["schema"] | {"news": 1}}
    assert Manifest.model_validate_json(json.dumps(later)) == manifest()
    for format in ({"format": 2}, {"schema": later["schema"] | {"format": 2}}):
        with pytest.raises(ValidationError, match="which a later release wrote"):
            Manifest.model_validate_json(json.dumps(later | format))


def test_a_manifest_names_the_plots_that_are_there() -> None:
    some = FileDigest(sha256="0" * 64, size=1)
    assert manifest().plots == []
    files = {"plot-roc.svg": some, "model.onnx": some, "plot-of-nothing.svg": some}
    assert manifest(files=files).plots == ["roc"]


def test_the_plots_have_the_names_that_clients_know() -> None:
    names = ["roc", "precision-recall", "calibration", "confusion-matrix", "prediction-error"]
    names += ["residuals", "permutation-importance"]
    assert list(Plot) == names
    assert [plot.file for plot in Plot] == [f"plot-{name}.svg" for name in names]


@pytest.mark.parametrize("change", [{"format": 2}, {"files": None}, {"gate": {"outcome": "maybe"}}])
def test_a_manifest_of_another_format_is_refused(change: dict[str, object]) -> None:
    text = json.dumps(json.loads(manifest().model_dump_json()) | change)
    with pytest.raises(ValidationError):
        Manifest.model_validate_json(text)


@pytest.mark.parametrize("field", ["model_version", "files", "metrics", "gate", "parity", "data"])
def test_a_manifest_that_lacks_a_field_is_refused(field: str) -> None:
    fields = json.loads(manifest().model_dump_json())
    del fields[field]
    with pytest.raises(ValidationError):
        Manifest.model_validate_json(json.dumps(fields))


def test_a_manifest_does_not_change() -> None:
    with pytest.raises(ValidationError):
        manifest().model_version = "another"  # type: ignore[misc]
