"""Every option of the server, declared once.

Knows names, defaults and what an option means. Flags of `wordgate serve`, environment variables
and the table in the docs come from here. Nothing changes after the start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from wordgate.engine.engine_thread import DEFAULT_CALLS
from wordgate.engine.state_cache import DEFAULT_CACHE_BYTES
from wordgate.errors import InvalidConfiguration
from wordgate.server.limits import Limits

VARIABLE_PREFIX = "WORDGATE_"


class Configuration(BaseSettings):
    """How a server runs."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX, env_ignore_empty=False, frozen=True, extra="forbid"
    )

    model: Path | None = Field(
        default=None,
        description="A bundle, a folder of versions or a folder of models; of each name the newest "
        "version is served. Without it the model that comes with the package is served.",
    )
    listen: str = Field(
        default="127.0.0.1:50051", description="HOST:PORT for gRPC. Port 0 takes a free one."
    )
    metrics_listen: str = Field(
        default="127.0.0.1:9090",
        description="HOST:PORT for /metrics, /livez and /readyz over HTTP. Empty: none.",
    )
    watch_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="How often the folder of `model` is looked at for new versions, which replace "
        "the old ones. 0: only on SIGHUP.",
    )
    swap_grace_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="How long a version that was replaced still answers to NAME@VERSION.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the server's certificate with its chain: gRPC speaks TLS. Read "
        "again when it changes.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file of its private key, without a password."
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM file of those who sign clients' certificates: only clients that show one "
        "are answered.",
    )
    tokens_file: Path | None = Field(
        default=None,
        description="Hashes of the tokens whose callers are answered, a line each, as "
        "`wordgate token` prints it. Read again when it changes.",
    )
    reflection: Literal["on", "off"] = Field(
        default="on", description="Whether the server tells what methods it has."
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where the model runs.")
    threads: int = Field(default=1, ge=1, le=256, description="Threads inside one model call.")
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Server processes that share the port; limits and the cache are divided.",
    )
    calls: int = Field(
        default=DEFAULT_CALLS,
        ge=1,
        le=64,
        description="Model calls made at the same time, each on a core of its own.",
    )
    cache_bytes: int = Field(
        default=DEFAULT_CACHE_BYTES,
        ge=0,
        description="Memory for states and output rows that may be used again, of all models "
        "together.",
    )
    grace_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="Time for requests under way after SIGTERM."
    )
    max_message_bytes: int = Field(
        default=Limits().max_message_bytes,
        ge=1024,
        le=2**31 - 1,
        description="Greatest request message.",
    )
    max_sessions: int = Field(
        default=Limits().max_sessions,
        ge=0,
        le=2**31 - 1,
        description="Typing sessions open at once.",
    )
    max_waiting_rows: int = Field(
        default=Limits().max_waiting_rows,
        ge=1,
        le=2**31 - 1,
        description="Rows waiting for the model; above it requests are refused at once.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Log lines for people or for programs."
    )
    log_calls: Literal["off", "errors", "all"] = Field(
        default="off",
        description="Which calls have a line in the log when they end: none, those with another "
        "code than OK, or all but health checks.",
    )
    traces: Literal["off", "otlp"] = Field(
        default="off",
        description="Where traces of calls go: nowhere, or by OTLP where OpenTelemetry's variables "
        "say. Needs the extra `traces`.",
    )

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    @field_validator("listen")
    @classmethod
    def _is_given(cls, value: str) -> str:
        if not value:
            raise ValueError("is empty; name HOST:PORT")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Raises `InvalidConfiguration` for one half of what is useless without the other."""
        if self.tls_certificate and not self.tls_key:
            raise InvalidConfiguration("tls_certificate", "needs its private key, tls_key")
        for half in ("tls_key", "tls_client_ca"):
            if getattr(self, half) and not self.tls_certificate:
                raise InvalidConfiguration(half, "needs the server's tls_certificate")
        return self

    @property
    def limits(self) -> Limits:
        """What this server accepts."""
        return Limits(
            max_message_bytes=self.max_message_bytes,
            max_sessions=self.max_sessions,
            max_waiting_rows=self.max_waiting_rows,
        )


@dataclass(frozen=True)
class Option:
    """An option as a flag, a variable and a row of the docs' table."""

    name: str
    flag: str
    variable: str
    default: Any
    choices: tuple[str, ...]
    kind: type
    description: str


def options() -> Iterator[Option]:
    """All options in the order of their declaration."""
    for name, declared in Configuration.model_fields.items():
        yield Option(
            name=name,
            flag="--" + name.replace("_", "-"),
            variable=VARIABLE_PREFIX + name.upper(),
            default=declared.default,
            choices=_choices(declared),
            kind=_kind(declared),
            description=declared.description or "",
        )


def configure(**given: Any) -> Configuration:
    """What was given, else what the environment says, else the defaults.

    Raises `InvalidConfiguration` naming the option.
    """
    try:
        return Configuration(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "configuration"
        problem = first["msg"].removeprefix("Value error, ")
        raise InvalidConfiguration(name, f"{first['input']!r}: {problem}") from None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`; raises `ValueError`."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or not port.isdecimal() or int(port) > 65535:
        raise ValueError("is no HOST:PORT, as in 127.0.0.1:50051")
    return bare, int(port)


def _choices(declared: FieldInfo) -> tuple[str, ...]:
    return get_args(declared.annotation) if get_origin(declared.annotation) is Literal else ()


def _kind(declared: FieldInfo) -> type:
    if declared.annotation in {int, float}:
        return declared.annotation  # type: ignore[return-value]
    return Path if declared.default is None else str
