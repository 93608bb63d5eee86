# CPU:   docker build -t gradnorm .
# CUDA:  docker build -t gradnorm:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}

# A bare Debian has no Python; the official Python images do.
RUN python3 -c 'import ensurepip, venv' 2>/dev/null \
    || { apt-get update \
         && apt-get install -y --no-install-recommends python3 python3-venv \
         && rm -rf /var/lib/apt/lists/*; } \
    && useradd --uid 10001 --user-group --home-dir /data --create-home --skel /dev/null --shell /usr/sbin/nologin gradnorm

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADNORM_HOME=/data \
    GRADNORM_DATA=/srv/data \
    GRADNORM_ADDRESS=0.0.0.0 \
    GRADNORM_PORT=8501
WORKDIR /app

# Packages of requirements.lock have the hashes in it, or the build ends here. Torch comes by itself:
# `torch==2.13.0` also matches 2.13.0+cpu and 2.13.0+cu130, and pip prefers such a local version:
# the extra index decides which build is installed. Empty: what pip's own configuration offers.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.lock requirements-torch.txt ./
RUN python3 -m venv /opt/venv \
    && pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock \
    && pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements-torch.txt \
    && pip check

VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
c = http.client.HTTPConnection('127.0.0.1', int(os.environ['GRADNORM_PORT']), timeout=4); \
c.request('GET', '/live/health'); \
sys.exit(c.getresponse().status != 200)"]
USER 10001
CMD ["python", "-m", "gradnorm", "dashboard"]

# Last, so that a change of the code repeats nothing above; .dockerignore names what it copies.
COPY . ./
