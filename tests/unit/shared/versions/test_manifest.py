import json

import pytest
from pydantic import ValidationError

from shared.schema.features import FEATURES
from shared.versions.manifest import VERSION_PATTERN, FileDigest, Manifest, Plot
from tests.support.manifests import manifest


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


def test_a_manifest_says_which_inputs_its_model_takes() -> None:
    assert manifest().inputs == FEATURES
    assert manifest().fits_this_schema
    assert not manifest(inputs=FEATURES[:-1]).fits_this_schema
    assert not manifest(inputs=FEATURES[::-1]).fits_this_schema


def test_a_manifest_names_the_plots_that_are_there() -> None:
    some = FileDigest(sha256="0" * 64, size=1)
    assert manifest().plots == []
    files = {"plot-roc.svg": some, "model.onnx": some, "plot-of-nothing.svg": some}
    assert manifest(files=files).plots == ["roc"]


def test_the_plots_have_the_names_that_clients_know() -> None:
    names = ["roc", "precision-recall", "calibration", "confusion-matrix", "permutation-importance"]
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


@pytest.mark.parametrize(
    "path", [(), ("metrics",), ("metrics", "roc_auc"), ("gate",), ("parity",), ("data",)]
)
def test_a_manifest_with_a_field_too_many_is_refused(path: tuple[str, ...]) -> None:
    """It may be one whose name is damaged."""
    fields = json.loads(manifest().model_dump_json())
    within = fields
    for name in path:
        within = within[name]
    within["unknown"] = 1
    with pytest.raises(ValidationError, match="unknown"):
        Manifest.model_validate_json(json.dumps(fields))


def test_a_damaged_field_of_an_input_does_not_become_its_default() -> None:
    text = manifest().model_dump_json().replace('"whole":true', '"whold":true')
    with pytest.raises(ValidationError, match="whold"):
        Manifest.model_validate_json(text)


def test_a_manifest_does_not_change() -> None:
    with pytest.raises(ValidationError):
        manifest().model_version = "another"  # type: ignore[misc]
