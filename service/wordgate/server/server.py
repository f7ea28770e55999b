"""Lifecycle of a server process: start, ready, serve, drain, stop."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from grpc.aio import Server as GrpcServer
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health_pb2 import DESCRIPTOR as HEALTH
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from wordgate.api.v1 import models_pb2_grpc, prediction_pb2_grpc, scoring_pb2_grpc
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.loaded_model import open_model
from wordgate.engine.onnx_model import Runtime
from wordgate.engine.scheduler import Scheduler
from wordgate.engine.scheduler_policy import SchedulerPolicy
from wordgate.errors import InvalidBundle, InvalidConfiguration, WordgateError
from wordgate.protocol.address import grpc_target, unix_path
from wordgate.server.admission_control import admission_controllers
from wordgate.server.config.options import Configuration
from wordgate.server.http.connections import Connections, connection_settings, most_connections
from wordgate.server.http.handlers import SERVICE_FILES, Handlers
from wordgate.server.http.tls_listener import TlsListener
from wordgate.server.models.registry import Registry, open_models
from wordgate.server.models.watcher import ModelWatcher
from wordgate.server.rpc.access_log import CallLog
from wordgate.server.rpc.channel_options import channel_options
from wordgate.server.rpc.interceptor import CallInterceptor, kind_of
from wordgate.server.rpc.unknown_methods import new_server
from wordgate.server.security.exposure_warning import warn_if_exposed
from wordgate.server.security.security import Security
from wordgate.server.services.context import ServingContext
from wordgate.server.services.health import Health
from wordgate.server.services.models import ModelServicer
from wordgate.server.services.prediction import PredictionServicer
from wordgate.server.services.scoring import ScoringServicer
from wordgate.server.telemetry.http import HttpServer, application
from wordgate.server.telemetry.load import LoadFigures
from wordgate.server.telemetry.logging import configure_logs
from wordgate.server.telemetry.metrics import Method, Metrics
from wordgate.server.telemetry.tracing import Tracer
from wordgate.server.unix_socket import free_path

_LAST_BYTES_SECONDS = 1.0
_LAST_SPANS_SECONDS = 2.0
_LOOK_SECONDS = 1.0


class Server:
    """The server of one process. `run` covers its whole lifecycle."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        shares_port: bool = False,
        ready: Callable[[str], None] = lambda http: None,
    ) -> None:
        """Set up a server that does not listen yet.

        `shares_port`: other workers listen on the same port. `ready` is called with the HTTP
        address once the server answers calls.
        """
        self._configuration = configuration
        self._shares_port = shares_port
        self._tell_ready = ready
        self._look_now: Callable[[], None] | None = None
        self._sighup_pending = False
        self._log = structlog.get_logger()
        self._stop = asyncio.Event()
        self._draining = asyncio.Event()
        self._ready = False
        self._metrics = Metrics()
        self._security = Security(configuration, self._metrics)
        self._tracer = _tracer(configuration, is_worker=shares_port)
        self._calls = CallInterceptor(
            self._metrics,
            self._draining,
            configuration.limits,
            self._security.callers,
            CallLog(configuration.access_log),
            self._tracer,
        )
        self._health = Health()
        self._handlers = Handlers()
        self._metrics_server: HttpServer | None = None
        self._http: HttpServer | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain.

        Raises `InvalidConfiguration`, `InvalidFile` or `InvalidBundle` if the server cannot start.
        """
        has_http = bool(self._configuration.http_listen)
        options = channel_options(
            self._configuration.limits,
            shares_port=self._shares_port,
            http_connections=most_connections() if has_http else 0,
        )
        grpc_server = new_server([self._calls], options)
        # Bind early to fail early, but not on a shared port: the kernel would send calls here.
        address = "" if self._shares_port else self._listen(grpc_server)
        try:
            if self._configuration.metrics_listen:
                self._metrics_server = HttpServer(self._configuration.metrics_listen)
                self._metrics_server.start(application(self._own_metrics, lambda: self._ready))
            if has_http and not self._shares_port:
                self._http = HttpServer(self._configuration.http_listen, "http_listen")
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_sighup)
            await self._serve(grpc_server, address)
        except BaseException:
            self._leave_socket_file()
            raise
        finally:
            for http in (self._http, self._metrics_server):
                if http is not None:
                    await http.close()

    def _drain_on_signal(self) -> None:
        """Drain on SIGTERM and SIGINT. Before this, while models load, they end the process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    def _leave_socket_file(self) -> None:
        """Remove the socket file of a server that cannot start; gRPC removes it only on stop."""
        path = unix_path(self._configuration.listen)
        if path is not None:
            Path(path).unlink(missing_ok=True)

    def _on_sighup(self) -> None:
        """Poll for new model versions now. A SIGHUP during model loading is deferred."""
        self._sighup_pending = True
        if self._look_now is not None:
            self._look_now()

    async def _own_metrics(self) -> CollectorRegistry:
        return self._metrics.registry

    async def _serve(self, grpc_server: GrpcServer, address: str) -> None:
        models = await asyncio.to_thread(self._open_models)
        self._drain_on_signal()
        scheduler = Scheduler(
            SchedulerPolicy(max_queued_rows=self._configuration.max_queued_rows),
            dropped=self._metrics.dropped,
            waited=self._metrics.waited,
            admissions=admission_controllers(self._configuration),
        )
        self._metrics.watch_scheduler(scheduler)
        self._metrics.watch_models(models)
        engine = EngineExecutor(scheduler, self._configuration.engine_threads)
        try:
            serving = ServingContext(
                models,
                engine,
                self._configuration.limits,
                self._metrics,
                self._configuration.device,
                self._draining,
            )
            self._add_services(grpc_server, serving)
            address = address or self._listen(grpc_server)
            await grpc_server.start()
            self._serve_http()
            await self._become_ready(models, address)
            async with self._watched(models), self._security.kept_current():
                await self._until_stopped(grpc_server)
            await self._drain(grpc_server)
        finally:
            await grpc_server.stop(0)
            await asyncio.to_thread(engine.close)
            if self._tracer is not None:
                grace = self._configuration.shutdown_grace_seconds
                await self._tracer.close(min(_LAST_SPANS_SECONDS, grace))
        self._log.info("stopped")

    async def _until_stopped(self, grpc_server: GrpcServer) -> None:
        """Wait for a signal to stop.

        Raises `WordgateError` if gRPC terminates by itself: exit rather than stay up without
        serving.
        """
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            while not stopped.done():
                await asyncio.wait({stopped}, timeout=_LOOK_SECONDS)
                await grpc_server.wait_for_termination(0)  # raises gRPC's error
        except Exception as error:  # noqa: BLE001  after any error gRPC serves no more
            problem = f"gRPC terminated unexpectedly: {type(error).__name__}; restart the server"
            raise WordgateError(problem) from None
        finally:
            stopped.cancel()

    def _listen(self, server: GrpcServer) -> str:
        """Bind the address and return it with the actual port. Raises `InvalidConfiguration`."""
        listen = self._configuration.listen
        path = unix_path(listen)
        try:
            if path is not None:
                with free_path(path):
                    self._security.add_port(server, grpc_target(listen))
                return listen
            port = self._security.add_port(server, listen)
        except OSError as error:
            problem = f"cannot listen on {listen} ({error.strerror}); choose another path"
            raise InvalidConfiguration("listen", problem) from None
        except RuntimeError:
            why = "address in use, or not an address of this host"
            why = why if path is None else "its folder does not accept a socket file"
            problem = f"cannot listen on {listen}: {why}; choose another address"
            raise InvalidConfiguration("listen", problem) from None
        return f"{listen.rpartition(':')[0]}:{port}"

    def _open_models(self) -> Registry:
        configuration = self._configuration
        runtime = Runtime(configuration.device, configuration.intra_op_threads)
        try:
            return open_models(
                configuration.model, runtime, self._metrics, configuration.state_cache_bytes
            )
        except InvalidBundle as error:
            self._metrics.load_failed(error.reason)
            raise

    @asynccontextmanager
    async def _watched(self, models: Registry) -> AsyncIterator[None]:
        """Poll for new model versions inside the context; SIGHUP triggers a poll at once."""
        configuration = self._configuration
        if configuration.model is None:
            yield
            return
        share = configuration.state_cache_bytes // len(models.served)
        runtime = Runtime(configuration.device, configuration.intra_op_threads)
        opener = partial(
            open_model, runtime=runtime, observer=self._metrics, state_cache_bytes=share
        )
        watch = ModelWatcher(
            configuration.model, models, opener, self._metrics, configuration.version_retire_seconds
        )
        self._look_now = watch.poll_now
        if self._sighup_pending:
            watch.poll_now()
        watching = asyncio.create_task(watch.run(configuration.model_poll_seconds))
        try:
            yield
        finally:
            watching.cancel()

    def _add_services(self, server: GrpcServer, serving: ServingContext) -> None:
        models, scores = ModelServicer(serving), ScoringServicer(serving)
        predictions = PredictionServicer(serving)
        servers: tuple[Any, ...] = (server, self._handlers)
        for each in servers:
            models_pb2_grpc.add_ModelServiceServicer_to_server(models, each)
            prediction_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, each)
            scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scores, each)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._configuration.reflection:
            names = [*_service_names(), HEALTH_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, server)
        self._metrics.serves(_methods())

    def _serve_http(self) -> None:
        """Serve the same services and the playground over HTTP, if that is on."""
        listen = self._configuration.http_listen
        if not listen:
            return
        if self._http is None:
            self._http = HttpServer(listen, "http_listen", shares_port=True)
        from wordgate.server.http.application import Application
        from wordgate.server.http.load import LoadPage

        origins = self._configuration.allowed_origins
        load = LoadPage(LoadFigures(self._metrics.registry), self._security.callers)
        application = Application(self._handlers.by_path, self._calls, load, origins)
        connections = Connections(most_connections())
        settings = connection_settings(self._configuration.limits, connections)
        listener, certificates = None, self._security.certificates
        if certificates is not None:
            listener = partial(
                TlsListener, context=lambda: certificates.context, connections=connections
            )
        self._http.start(application, listener, **settings)

    async def _become_ready(self, models: Registry, address: str) -> None:
        for name in ("", *_service_names()):
            await self._health.set(name, HealthCheckResponse.SERVING)
        # Exclude modules and models from garbage collection: traversing them took 25 ms.
        gc.collect()
        gc.freeze()
        self._ready = True
        self._metrics.workers.set(1)
        metrics = self._metrics_server
        self._tell_ready(metrics.address if metrics else "")
        self._log.info(
            "worker serving" if self._shares_port else "serving",
            version=version("wordgate"),
            models=", ".join(f"{model.name} ({model.name.precision})" for model in models),
            grpc=address,
            metrics=metrics.address if metrics else "off",
            http=self._http.address if self._http else "off",
            device=self._configuration.device,
        )
        if not self._shares_port:
            warn_if_exposed(self._configuration)

    async def _drain(self, server: GrpcServer) -> None:
        """Reject new calls, end sessions, and let calls in progress finish within the grace."""
        self._log.info(
            "draining", shutdown_grace_seconds=self._configuration.shutdown_grace_seconds
        )
        self._ready = False
        self._metrics.workers.set(0)
        await self._health.enter_graceful_shutdown()
        self._draining.set()
        try:
            async with asyncio.timeout(self._configuration.shutdown_grace_seconds):
                await self._calls.wait_until_idle()
        except TimeoutError:
            self._log.warning("shutdown grace exceeded; cancelling the calls in progress")
        await server.stop(min(_LAST_BYTES_SECONDS, self._configuration.shutdown_grace_seconds))


def check(configuration: Configuration) -> None:
    """Check the security files and the tracing options without starting a server.

    Raises `InvalidFile` for an invalid certificate or token file, and `InvalidConfiguration` for
    invalid tracing options.
    """
    configure_logs(configuration.log_format)
    Security(configuration, Metrics())
    tracer = _tracer(configuration, is_worker=False)
    if tracer is not None:
        asyncio.run(tracer.close(0))


def _tracer(configuration: Configuration, *, is_worker: bool) -> Tracer | None:
    """Return the tracer, or None if tracing is off. Imports OpenTelemetry only if needed."""
    if configuration.tracing == "off":
        return None
    try:
        from wordgate.server.telemetry.opentelemetry import Traces
    except ModuleNotFoundError:
        problem = "requires OpenTelemetry; run pip install 'wordgate[tracing]'"
        raise InvalidConfiguration("tracing", problem) from None
    return Traces(is_worker=is_worker)


def _service_names() -> list[str]:
    return [
        service.full_name for file in SERVICE_FILES for service in file.services_by_name.values()
    ]


def _methods() -> list[Method]:
    services = [
        service for file in (*SERVICE_FILES, HEALTH) for service in file.services_by_name.values()
    ]
    return [
        Method(
            service.full_name,
            method.name,
            kind_of(method.client_streaming, method.server_streaming),
        )
        for service in services
        for method in service.methods
    ]
