# The server with the bundled models: no torch, no compiler, no root.

FROM python:3.11-slim AS build
WORKDIR /source
RUN python3 -m venv /opt/wordgate
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE NOTICE ./
COPY service service
COPY models models
RUN /opt/wordgate/bin/pip install --no-cache-dir --constraint constraints.txt ".[tracing]" && \
    /opt/wordgate/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim
COPY --from=build /opt/wordgate /opt/wordgate
# Addresses are set here, not in the command, so that the health check uses them too.
ENV PATH=/opt/wordgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WORDGATE_LISTEN=0.0.0.0:50051 \
    WORDGATE_METRICS_LISTEN=0.0.0.0:9090 \
    WORDGATE_LOG_FORMAT=json
USER 10001:10001
# 8080 is the usual port for WORDGATE_HTTP_LISTEN, which is off.
EXPOSE 50051 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["wordgate", "probe"]
# As PID 1, a process loses signals that arrive before their handlers are installed. Blocked signals
# stay pending until then.
ENTRYPOINT ["env", "--block-signal=TERM", "--block-signal=INT", "--block-signal=HUP", "wordgate"]
CMD ["serve"]
