"""The settings: environment variables with the prefix `LIFEBOAT_`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared import access, environment
from shared.access import Hosts, Networks, Origins, RootPath
from shared.environment import UnreadableFile
from shared.models_place import Home, ModelsPlace, UserPath
from shared.runtime import redis_url
from shared.runtime.redis_url import RedisServer

NO_REDIS = "none"
"""The value of LIFEBOAT_REDIS_URL for an API that only serves."""


class Settings(ModelsPlace, BaseSettings):
    """Every setting of both services; `.env.example` and `docs/configuration.md` list the same.

    Every value reaches its field as the text that `shared/environment.py` found.

    Raises:
        pydantic.ValidationError: a variable has a value that its field does not accept.
        UnreadableFile: `.env` cannot be read.
    """

    model_config = SettingsConfigDict(
        env_prefix="LIFEBOAT_",
        env_file=environment.FILE,
        extra="ignore",
        # An error must not show a key or a password.
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the API listens on.")
    api_workers: int = Field(
        2,
        ge=1,
        le=64,
        description="API processes. With two or more, one that dies is replaced while the others "
        "serve on.",
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="The Redis (or Valkey) server of jobs and of the version key; `none` for an "
        "API that only serves, and follows current.json.",
    )
    redis_password_file: UserPath | None = Field(
        None, description="File that holds the Redis password, if the URL has none."
    )
    redis_ca_file: UserPath | None = Field(
        None,
        description="File of the certificate authorities (PEM) that a rediss:// server may have, "
        "beside those of the system.",
    )
    model: UserPath = Field(
        Path("examples/titanic"),
        description="Folder of the definition: what is learned, and how; read anew by each run.",
    )
    training_data: Annotated[str, Home] | None = Field(
        None,
        description="Path, http(s) URL or bucket URL (s3, gs, az) of the training table, CSV or "
        "Parquet, read anew by each run. The table of the definition if not set.",
    )
    training_data_max_bytes: int = Field(
        512 * 1024 * 1024,
        ge=1,
        description="Largest training table, as it is fetched and unpacked.",
    )
    training_data_timeout_seconds: float = Field(
        600, gt=0, description="Longest time that fetching the training table may take."
    )
    promotion_tolerance: float = Field(
        0.01,
        ge=0,
        le=1,
        description="By how much a candidate may score worse than the served model and still be "
        "served: a difference of scores such as ROC AUC, or a share of errors such as RMSE.",
    )
    keep_versions: int = Field(
        10, ge=1, description="Promoted versions kept on the volume; the served one always is."
    )
    job_timeout_seconds: float = Field(
        3600, gt=0, description="Longest time one attempt at a training run may take."
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="When set, PUT, DELETE and /metrics need it, as X-API-Key or Bearer token. "
        "Several keys: one a line.",
    )
    api_key_file: UserPath | None = Field(
        None, description="File that holds the API key, or keys, instead of the variable."
    )
    api_key_for: Literal["changes", "everything"] = Field(
        "changes",
        description="What needs the API key if one is set: changes (PUT, DELETE, /metrics), or "
        "everything but health, the page's files and /openapi.json.",
    )
    short_cut: Literal["on", "off"] = Field(
        "on",
        description="Whether small predictions are answered from their connection, without ASGI; "
        "off to compare, and to look for trouble.",
    )
    allowed_hosts: Hosts = Field(
        "",
        description="Host names that a request may name, such as `example.org,*.example.org`, "
        "beside addresses and localhost. Any if not set.",
    )
    cors_origins: Origins = Field(
        "",
        description="Origins whose pages may call the API from a browser, such as "
        "`https://example.org`, or `*`. None if not set.",
    )
    root_path: RootPath = Field(
        "",
        description="Path below which a proxy publishes the API, such as `/lifeboat`.",
    )
    trusted_proxies: Networks = Field(
        "",
        description="Addresses or networks of proxies, such as `10.0.0.2,172.16.0.0/12`, whose "
        "`X-Forwarded-For` says who the client is, for the log. None if not set.",
    )
    signing_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="When set, model versions are signed with it, and others are refused.",
    )
    signing_key_file: UserPath | None = Field(
        None, description="File that holds the signing key, instead of the variable."
    )
    signing_keys_old: SecretStr | None = Field(
        None,
        description="Earlier signing keys, one a line, whose signatures still hold.",
    )
    signing_keys_old_file: UserPath | None = Field(
        None, description="File that holds the earlier signing keys, instead of the variable."
    )
    max_body_bytes: int = Field(
        8 * 1024 * 1024, ge=1, description="Largest body of a request; a larger one is refused."
    )
    max_rows: int = Field(10_000, ge=1, description="Most rows in a request; more are refused.")
    revision: str = Field(
        "unknown",
        description="Revision of the code, which the page, /health/ready and lifeboat_build_info "
        "tell; `make` sets it from Git.",
    )
    alive_file: UserPath | None = Field(
        None, description="File that the worker touches each second while its event loop moves."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text, or json: one object per line. In containers json unless set."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(dotenv_settings, DotEnvSettingsSource)
        # None in tests that read no file.
        found = environment.read(environment.FILE if dotenv_settings.env_file else None)
        values = {name.lower(): value for name, value in found.values.items()}
        return init_settings, InitSettingsSource(settings_cls, values)

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() != NO_REDIS:
            redis_url.checked(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _read_key_files(self) -> Self:
        self.api_key = _key("api_key", self.api_key, self.api_key_file)
        self.signing_key = _key("signing_key", self.signing_key, self.signing_key_file)
        self.signing_keys_old = _key(
            "signing_keys_old", self.signing_keys_old, self.signing_keys_old_file, may_be_empty=True
        )
        if self.old_signing_keys and self.signing_key is None:
            raise ValueError(
                "LIFEBOAT_SIGNING_KEYS_OLD is set and LIFEBOAT_SIGNING_KEY is not; set the key "
                "that signs, or unset the old keys"
            )
        if self.api_key_for == "everything" and not self.api_keys:
            raise ValueError(
                "LIFEBOAT_API_KEY_FOR is 'everything', but there is no key; set LIFEBOAT_API_KEY "
                "or LIFEBOAT_API_KEY_FILE"
            )
        return self

    @property
    def api_keys(self) -> list[str]:
        """The API keys; the first of them is the one that Lifeboat's own clients send."""
        return [] if self.api_key is None else access.keys(self.api_key.get_secret_value())

    @property
    def api_url(self) -> str:
        """The URL at which this machine reaches the API: loopback if the API listens everywhere."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def serves_only(self) -> bool:
        """Whether there is no Redis: the API follows `current.json`, and has no jobs."""
        return self.redis_url.get_secret_value() == NO_REDIS

    @property
    def old_signing_keys(self) -> list[SecretStr]:
        """The earlier signing keys, whose signatures still hold."""
        if self.signing_keys_old is None:
            return []
        return [SecretStr(key) for key in access.keys(self.signing_keys_old.get_secret_value())]

    def redis_server(self) -> RedisServer:
        """Return the server to connect to, with the password from its file unless the URL has one.

        Raises:
            UnreadableFile: the password file cannot be read, or the one of certificates.
        """
        url = self.redis_url.get_secret_value()
        if self.redis_password_file is not None and not redis_url.has_password(url):
            try:
                password = environment.read_text(self.redis_password_file)
            except UnreadableFile as error:
                raise UnreadableFile(f"LIFEBOAT_REDIS_PASSWORD_FILE: {error}") from None
            url = redis_url.with_password(url, password)
        if self.redis_ca_file is not None:
            try:
                redis_url.check_authority(self.redis_ca_file)
            except ValueError as error:
                raise UnreadableFile(f"LIFEBOAT_REDIS_CA_FILE: {error}") from None
        return RedisServer(url, self.redis_ca_file)


def _key(
    name: str, key: SecretStr | None, file: Path | None, *, may_be_empty: bool = False
) -> SecretStr | None:
    """Return a key, which may come from a file such as one in /run/secrets."""
    if file is None:
        return key
    variable = f"LIFEBOAT_{name.upper()}"
    if key is not None:
        raise ValueError(f"{variable} and {variable}_FILE are both set; unset one of them")
    try:
        found = environment.read_text(file)
    except UnreadableFile as error:
        raise ValueError(f"{variable}_FILE: {error}") from None
    if not found and not may_be_empty:
        raise ValueError(f"{variable}_FILE: expected a key in {file}, but the file is empty")
    return SecretStr(found)
