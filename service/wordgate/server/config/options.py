"""Every option of the server, declared once with its type, default and bounds.

The flags of `wordgate serve`, the environment variables, the keys of the configuration file and the
table in the docs are generated from these declarations. The configuration does not change after
start-up.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wordgate.engine.executor import DEFAULT_ENGINE_THREADS
from wordgate.engine.state_cache import DEFAULT_CACHE_BYTES
from wordgate.errors import InvalidConfiguration
from wordgate.protocol.address import check_address, check_origin, unix_path
from wordgate.protocol.limits import Limits, table

INT32_MAX = 2**31 - 1
"""Maximum value of an integer channel option of gRPC."""

_LIMITS = {row.name: row for row in table()}


def _limit(name: str, *, least: int, most: int = INT32_MAX) -> Any:
    """Declare an option for one of the `Limits`, with its default and meaning from there."""
    limit = _LIMITS[name]
    kind = f"in {limit.unit}:" if limit.unit in {"bytes", "seconds"} else "number of"
    description = f"Maximum {kind} {limit.bounds}."
    return Field(default=limit.value, ge=least, le=most, description=description)


class Configuration(BaseModel):
    """Configuration of a server process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path | None = Field(
        default=None,
        description="A bundle, a folder of versions, a folder of models, or the name of a bundled "
        "model. The newest version of each model is served. Default: the bundled models.",
    )
    model_poll_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="Polling interval in seconds for new versions in the `model` folder, which "
        "replace the old ones. 0: poll only on SIGHUP.",
    )
    version_retire_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Seconds for which a replaced version is still served as NAME@VERSION.",
    )
    listen: str = Field(
        default="127.0.0.1:50051",
        description="Address for gRPC: HOST:PORT (port 0 picks a free port) or unix:PATH.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:9090",
        description="HTTP address for /metrics, /livez and /readyz: HOST:PORT or unix:PATH. Empty: "
        "off.",
    )
    http_listen: str = Field(
        default="",
        description="Address for the playground, and for the same services by the Connect protocol "
        "and gRPC-Web: HOST:PORT or unix:PATH. Empty: off.",
    )
    http_allowed_origins: str = Field(
        default="",
        description="Origins of web pages that may call the server from browsers (CORS), separated "
        "by commas, such as https://app.example. The playground needs none if its address has "
        "localhost or an IP address.",
    )
    reflection: bool = Field(default=True, description="Enable gRPC server reflection.")
    shutdown_grace_seconds: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        description="Seconds for requests in progress to finish after SIGTERM.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the server's certificate and its chain. Enables TLS for gRPC "
        "and HTTP. Reloaded when it changes.",
    )
    tls_key: Path | None = Field(
        default=None,
        description="PEM file with the private key of the certificate, without a password.",
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="CA bundle (PEM) for client certificates. Enables mutual TLS.",
    )
    tokens_file: Path | None = Field(
        default=None,
        description="File of token hashes, one per line as printed by `wordgate token`. Enables "
        "bearer-token authentication. Reloaded when it changes.",
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Device for inference.")
    intra_op_threads: int = Field(
        default=1, ge=1, le=256, description="onnxruntime threads per inference."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Server processes that share the port. Limits and the state cache are divided "
        "among them.",
    )
    engine_threads: int = Field(
        default=DEFAULT_ENGINE_THREADS,
        ge=1,
        le=64,
        description="Inferences that run in parallel, each on its own core.",
    )
    state_cache_bytes: int = Field(
        default=DEFAULT_CACHE_BYTES,
        ge=0,
        description="Memory in bytes for cached states and output rows, for all models together.",
    )
    max_message_bytes: int = _limit("max_message_bytes", least=1024)
    max_sessions: int = _limit("max_sessions", least=0)
    max_session_seconds: int = _limit("max_session_seconds", least=1, most=31_536_000)
    max_rescore_streams: int = _limit("max_rescore_streams", least=0)
    max_generation_streams: int = _limit("max_generation_streams", least=0)
    max_concurrent_rpcs: int = _limit("max_concurrent_rpcs", least=1)
    max_in_flight_bytes: int = _limit("max_in_flight_bytes", least=1024)
    max_in_flight_stream_bytes: int = _limit("max_in_flight_stream_bytes", least=1024)
    max_queued_rows: int = _limit("max_queued_rows", least=1)
    max_queue_delay_seconds: float = Field(
        default=0.025,
        ge=0,
        le=3600,
        description="Reject a Score, Rescore or Explain request of normal priority at once if its "
        "estimated queueing delay in seconds exceeds this.",
    )
    max_predict_queue_delay_seconds: float = Field(
        default=0.1,
        ge=0,
        le=3600,
        description="Reject an interactive Predict request at once if its estimated queueing delay "
        "in seconds exceeds this.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Log format: human-readable text, or one JSON object per line."
    )
    access_log: Literal["off", "errors", "all"] = Field(
        default="off",
        description="Calls to log when they end: none, those with a status other than OK, or all "
        "except health checks.",
    )
    tracing: Literal["off", "otlp"] = Field(
        default="off",
        description="Export traces by OTLP, configured by the standard OpenTelemetry environment "
        "variables. Requires the extra `tracing`.",
    )

    @field_validator("listen", "metrics_listen", "http_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            check_address(value)
        return value

    @field_validator("http_allowed_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in filter(None, value.split(",")):
            check_origin(origin)
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
            raise ValueError("is empty; name a path or remove the option")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Raise `InvalidConfiguration` for options that contradict or lack each other."""
        for listen in (self.listen, self.http_listen):
            if self.workers > 1 and unix_path(listen) is not None:
                problem = "a socket file allows one worker only; set it to 1 or listen on HOST:PORT"
                raise InvalidConfiguration("workers", problem)
        if self.http_allowed_origins and not self.http_listen:
            raise InvalidConfiguration("http_allowed_origins", "requires --http-listen")
        if self.tls_certificate and not self.tls_key:
            raise InvalidConfiguration("tls_certificate", "requires its private key, --tls-key")
        for half in ("tls_key", "tls_client_ca"):
            if getattr(self, half) and not self.tls_certificate:
                raise InvalidConfiguration(
                    half, "requires the server's certificate, --tls-certificate"
                )
        return self

    @property
    def allowed_origins(self) -> list[str]:
        """Origins of web pages that may call the server."""
        return [origin for origin in self.http_allowed_origins.split(",") if origin]

    @property
    def limits(self) -> Limits:
        """Limits that this server enforces."""
        names = Configuration.model_fields.keys() & _LIMITS.keys()
        return Limits(**{name: getattr(self, name) for name in names})
