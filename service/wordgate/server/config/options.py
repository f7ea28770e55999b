"""Every option of the server, declared once.

Knows names, defaults, what an option means and which of those who name it goes before the others.
Flags of `wordgate serve`, environment variables, keys of a file and the table in the docs come from
here. Nothing changes after the start.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from wordgate.engine.executor import DEFAULT_ENGINE_THREADS
from wordgate.engine.state_cache import DEFAULT_CACHE_BYTES
from wordgate.errors import InvalidConfiguration, flag_of
from wordgate.protocol.address import check_address, split_address, unix_path
from wordgate.protocol.limits import Limits, table
from wordgate.server.config.toml_file import place, read_options

__all__ = ["split_address"]

VARIABLE_PREFIX = "WORDGATE_"


def _limit(name: str, description: str, *, least: int, most: int = 2**31 - 1) -> Any:
    """An option that is one of the limits, with their default."""
    return Field(default=getattr(Limits(), name), ge=least, le=most, description=description)


class Configuration(BaseModel):
    """How a server runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path | None = Field(
        default=None,
        description="A bundle, a folder of versions or a folder of models; of each name the newest "
        "version is served. Without it the model that comes with the package is served.",
    )
    model_poll_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="How often the folder of `model` is looked at for new versions, which replace "
        "the old ones. 0: only on SIGHUP.",
    )
    version_retire_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="How long a version that was replaced still answers to NAME@VERSION.",
    )
    listen: str = Field(
        default="127.0.0.1:50051",
        description="HOST:PORT for gRPC, port 0 for a free one; or unix:PATH, a socket file.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:9090",
        description="HOST:PORT or unix:PATH for /metrics, /livez and /readyz over HTTP. Empty: "
        "none.",
    )
    reflection: Literal["on", "off"] = Field(
        default="on", description="Whether the server tells what methods it has."
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="Time for requests under way after SIGTERM."
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
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where the model runs.")
    intra_op_threads: int = Field(
        default=1, ge=1, le=256, description="Threads of onnxruntime inside one inference."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Server processes that share the port; limits and the cache are divided.",
    )
    engine_threads: int = Field(
        default=DEFAULT_ENGINE_THREADS,
        ge=1,
        le=64,
        description="Inferences at the same time, each on a core of its own.",
    )
    state_cache_bytes: int = Field(
        default=DEFAULT_CACHE_BYTES,
        ge=0,
        description="Memory for states and output rows that may be used again, of all models "
        "together.",
    )
    max_message_bytes: int = _limit(
        "max_message_bytes",
        "Greatest request message.",
        least=1024,
    )
    max_sessions: int = _limit(
        "max_sessions",
        "Typing sessions open at once. They are among `--max-concurrent-rpcs`.",
        least=0,
    )
    max_session_seconds: int = _limit(
        "max_session_seconds",
        "How long a typing session lasts before it ends as UNAVAILABLE, to be opened "
        "again; up to a tenth less.",
        least=1,
        most=31_536_000,
    )
    max_rescore_streams: int = _limit(
        "max_rescore_streams",
        "Rescoring streams open at once.",
        least=0,
    )
    max_generation_streams: int = _limit(
        "max_generation_streams",
        "Texts generated at once.",
        least=0,
    )
    max_concurrent_rpcs: int = _limit(
        "max_concurrent_rpcs",
        "Calls under way at once, sessions and streams among them.",
        least=1,
    )
    max_in_flight_bytes: int = _limit(
        "max_in_flight_bytes",
        "Bytes of the messages of all requests in progress. Answering a request may take 200 times "
        "its bytes of memory.",
        least=1024,
    )
    max_in_flight_stream_bytes: int = _limit(
        "max_in_flight_stream_bytes",
        "The same for the messages of streams, those above 16 KiB.",
        least=1024,
    )
    max_queued_rows: int = _limit(
        "max_queued_rows",
        "Rows waiting for the model; above it requests are refused at once.",
        least=1,
    )
    max_queue_delay_seconds: float = Field(
        default=0.025,
        ge=0,
        le=3600,
        description="Scores and rankings for which somebody waits are refused at once if they "
        "would wait longer for those before them.",
    )
    max_predict_queue_delay_seconds: float = Field(
        default=0.1, ge=0, le=3600, description="The same for predictions."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Log lines for people or for programs."
    )
    access_log: Literal["off", "errors", "all"] = Field(
        default="off",
        description="Which calls have a line in the log when they end: none, those with another "
        "code than OK, or all but health checks.",
    )
    tracing: Literal["off", "otlp"] = Field(
        default="off",
        description="Where traces of calls go: nowhere, or by OTLP where OpenTelemetry's variables "
        "say. Needs the extra `tracing`.",
    )

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            check_address(value)
        return value

    @field_validator("listen")
    @classmethod
    def _is_given(cls, value: str) -> str:
        if not value:
            raise ValueError("is empty; name HOST:PORT or unix:PATH")
        return value

    @field_validator(
        "model", "tls_certificate", "tls_key", "tls_client_ca", "tokens_file", mode="before"
    )
    @classmethod
    def _is_a_path(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("is empty; leave it out")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Raises `InvalidConfiguration` for one half of what is useless without the other."""
        if self.workers > 1 and unix_path(self.listen) is not None:
            problem = "only one process can serve a socket file; set it to 1 or listen on HOST:PORT"
            raise InvalidConfiguration("workers", problem)
        if self.tls_certificate and not self.tls_key:
            raise InvalidConfiguration("tls_certificate", "needs its private key, --tls-key")
        for half in ("tls_key", "tls_client_ca"):
            if getattr(self, half) and not self.tls_certificate:
                raise InvalidConfiguration(
                    half, "needs the server's certificate, --tls-certificate"
                )
        return self

    @property
    def limits(self) -> Limits:
        """What this server accepts."""
        names = Configuration.model_fields.keys() & {row.name for row in table()}
        return Limits(**{name: getattr(self, name) for name in names})


_SECTIONS = {
    "model": "Models",
    "listen": "Listening",
    "tls_certificate": "Security",
    "device": "Processors and memory",
    "max_message_bytes": "Limits",
    "log_format": "Logs and traces",
}
"""Headings of the help, each with the option that is the first under it."""


@dataclass(frozen=True)
class Option:
    """An option as a flag, a variable, a key of a file and a row of the docs' table."""

    name: str
    flag: str
    variable: str
    default: Any
    choices: tuple[str, ...]
    kind: type
    description: str
    section: str


FILE = Option(
    name="config",
    flag="--config",
    variable=f"{VARIABLE_PREFIX}CONFIG",
    default=None,
    choices=(),
    kind=Path,
    description="TOML file of the options below, read once, at the start.",
    section="Options",
)
"""Where options may stand; not one itself."""


def options() -> Iterator[Option]:
    """All options in the order of their declaration."""
    section = ""
    for name, declared in Configuration.model_fields.items():
        section = _SECTIONS.get(name, section)
        yield Option(
            name=name,
            flag=flag_of(name),
            variable=VARIABLE_PREFIX + name.upper(),
            default=declared.default,
            choices=_choices(declared),
            kind=_kind(declared),
            description=declared.description or "",
            section=section,
        )


def configure(**given: Any) -> Configuration:
    """As `configure_with_places`, without the places."""
    return configure_with_places(**given)[0]


def configure_with_places(**given: Any) -> tuple[Configuration, dict[str, str]]:
    """What was given, else what the environment says, else the file, else the defaults.

    The file is `config`, or what its variable names. The second value says by the options' names
    where each value came from, for errors that are found after the start. Raises `InvalidFile` when
    it cannot be read, `InvalidConfiguration` naming the option and who named it.
    """
    file = _file(given.pop(FILE.name, None))
    said = _from_file(file) | _from_environment() | _from_flags(given)
    try:
        configuration = Configuration(**{name: value for name, (value, _) in said.items()})
        return configuration, {name: place for name, (_, place) in said.items()}
    except InvalidConfiguration as error:
        name, problem = error.option, error.problem
    except ValidationError as error:
        name, problem = _explain(error)
    raise InvalidConfiguration(name, problem, said[name][1] if name in said else "")


def _choices(declared: FieldInfo) -> tuple[str, ...]:
    return get_args(declared.annotation) if get_origin(declared.annotation) is Literal else ()


def _kind(declared: FieldInfo) -> type:
    if declared.annotation in {int, float}:
        return declared.annotation  # type: ignore[return-value]
    return Path if declared.default is None else str


_Sourced = dict[str, tuple[Any, str]]
"""Values by the options' names, each with the flag, variable or key that it comes from."""


def _file(given: Path | None) -> Path | None:
    named = os.environ.get(FILE.variable) if given is None else given
    if named == "":
        raise InvalidConfiguration(FILE.name, "is empty; name a file", FILE.variable)
    return None if named is None else Path(named)


def _from_file(file: Path | None) -> _Sourced:
    if file is None:
        return {}
    found = read_options(file, {option.name: option.kind for option in options()})
    return {name: (_from_folder(file, value), place(file, name)) for name, value in found.items()}


def _from_folder(file: Path, value: Any) -> Any:
    """Have the path of a socket file begin at the folder of the file that names it."""
    with suppress(ValueError):
        path = unix_path(value) if isinstance(value, str) else None
        if path is not None:
            return f"unix:{file.parent / path}"
    return value


def _from_environment() -> _Sourced:
    return {
        option.name: (os.environ[option.variable], option.variable)
        for option in options()
        if option.variable in os.environ
    }


def _from_flags(given: dict[str, Any]) -> _Sourced:
    flags = {option.name: option.flag for option in options()}
    return {name: (value, flags.get(name, name)) for name, value in given.items()}


def _explain(error: ValidationError) -> tuple[str, str]:
    """The option and the problem of the first error."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    problem = f"{message[:1].lower()}{message[1:]} (it is {first['input']!r})"
    return str(first["loc"][0]), problem
