"""Where the model versions lie, as settings say it: a folder, or a bucket with its patience."""

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from shared import bucket
from shared.bucket import BucketUrl

Home = AfterValidator(os.path.expanduser)
UserPath = Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))]
"""A path in which `~` is the home of whoever runs the process: a shell expands it only unquoted."""


class ModelsPlace(BaseModel):
    """The part of the settings that says where the model versions lie."""

    models: Annotated[str, Home] | None = Field(
        None,
        description="Where the model versions lie: a folder, or s3://bucket/prefix, "
        "gs://bucket/prefix or az://container/prefix. LIFEBOAT_MODELS_DIR if not set.",
    )
    models_dir: UserPath = Field(
        Path("models"), description="Folder of the model versions; the older name of this setting."
    )
    store_endpoint: str | None = Field(
        None,
        description="URL of a server that speaks the bucket's protocol, if it is not the cloud's "
        "own.",
    )
    store_poll_seconds: float = Field(
        1, gt=0, le=3600, description="How often current.json is asked for without Redis."
    )
    store_timeout_seconds: float = Field(
        2, gt=0, le=60, description="Longest time that a bucket may take to answer."
    )
    store_load_timeout_seconds: float = Field(
        60, gt=0, le=3600, description="Longest time that a model may take from or to a bucket."
    )

    @field_validator("models")
    @classmethod
    def _check_models(cls, place: str | None) -> str | None:
        if place is not None and bucket.is_url(place):
            bucket.parse(place)
        return place

    @field_validator("store_endpoint")
    @classmethod
    def _check_store_endpoint(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("expected a URL like https://store.example.org, found no http(s)://")
        return url

    @model_validator(mode="after")
    def _take_the_newer_name(self) -> Self:
        if self.models is not None and not bucket.is_url(self.models):
            self.models_dir = Path(self.models)
        return self

    @property
    def bucket_url(self) -> BucketUrl | None:
        """The bucket of the model versions; None if they lie in the folder `models_dir`."""
        if self.models is None or not bucket.is_url(self.models):
            return None
        return bucket.parse(self.models)

    @property
    def models_place(self) -> str:
        """Where the model versions lie, to be shown."""
        return str(self.bucket_url or self.models_dir)
