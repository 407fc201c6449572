# syntax=docker/dockerfile:1
# Two images: `serve` (no torch, no Flower) and `federation`. The steps are make targets that a test runs.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN make SERVE_ONLY=1 wheel

FROM python:3.11-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends make libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home /data fetal-health && mkdir /data && chown fetal-health /data
WORKDIR /build
COPY Makefile constraints.txt ./
COPY --from=build /source/dist ./dist
ENV FETAL_HEALTH_HOME=/data FETAL_HEALTH_HOST=0.0.0.0 PATH=/opt/fetal-health/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
  CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=2)"

FROM base AS serve
RUN make serve-image IMAGE_ROOT=/opt/fetal-health WHEEL="$(ls dist/*.whl)"
WORKDIR /data
USER fetal-health
CMD ["fetal-health", "serve"]

FROM base AS federation
ARG TORCH_INDEX=
RUN make federation-image IMAGE_ROOT=/opt/fetal-health WHEEL="$(ls dist/*.whl)" TORCH_INDEX="$TORCH_INDEX"
WORKDIR /data
USER fetal-health
CMD ["fetal-health", "serve"]
