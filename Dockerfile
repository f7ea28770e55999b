# The server with the shipped model: no torch, no compiler, no root.

FROM python:3.11-slim AS build
WORKDIR /source
RUN python3 -m venv /opt/wordgate
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE NOTICE ./
COPY service service
COPY models models
RUN /opt/wordgate/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11-slim
COPY --from=build /opt/wordgate /opt/wordgate
ENV PATH=/opt/wordgate/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 50051 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
    ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9090/readyz', timeout=2)"]
ENTRYPOINT ["wordgate"]
CMD ["serve", "--listen", "0.0.0.0:50051", "--metrics-listen", "0.0.0.0:9090"]
