# syntax=docker/dockerfile:1
# The tile server as an image.
#
#   docker build -t comeo .                              decodes on the CPU
#   docker build -t comeo:gpu --build-arg VARIANT=gpu .  decodes on an NVIDIA GPU; run it with --gpus all
#   docker run -p 8080:8080 -v /path/to/archives:/archives:ro comeo

ARG VARIANT=cpu

FROM node:22-bookworm-slim AS viewer
# pip fetches what the reference map is made of
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source/static
COPY static/package.json static/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY static/reference reference
RUN npm run reference
COPY static ./
RUN npm run build

# CUDA 12 and cuDNN 9, as onnxruntime-gpu asks for; the same Python in both variants.
FROM ubuntu:24.04 AS base-cpu
FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04 AS base-gpu

# hadolint ignore=DL3006
FROM base-${VARIANT} AS build
ARG VARIANT
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml constraints.txt README.md ./
COPY tools tools
COPY codecs codecs
COPY tileserver tileserver
COPY templates templates
COPY --from=viewer /source/static/dist static/dist
# There is no C compiler here: the build takes zig from PyPI for as long as it needs it.
RUN python3 -m venv /opt/comeo \
    && COMEO_BUILD_NATIVE=1 /opt/comeo/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt ".[${VARIANT},server,geoservices,oidc,pdf,postgres,relay,dask,jpeg2000,objects,qualify]" \
    && NUMBA_CACHE_DIR=/opt/numba /opt/comeo/bin/python -m comeo.codecs

# hadolint ignore=DL3006
FROM base-${VARIANT} AS server
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --uid 10001 comeo \
    && mkdir /archives
COPY --from=build /opt/comeo /opt/comeo
# Numba only reads a cache that it could write
COPY --from=build --chown=10001 /opt/numba /opt/numba
ENV PATH=/opt/comeo/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/opt/numba
USER 10001
WORKDIR /home/comeo
VOLUME /archives
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["comeo", "serve", "/archives", "--host", "0.0.0.0", "--port", "8080"]
