# The daemon and its client. Needs no build argument; BASE is for a mirror, or for the stand-in of
# deploy/base-image.sh. The last target is the full image; `--target slim` leaves jax out, 0.6 GB of
# it, and then wants `beliefs.engine = "numpy"`.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS slim-packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# the tools that build stay in /opt/build; what runs goes to /opt/trade-manager, without pip
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/trade-manager
COPY requirements-slim.txt .
RUN /opt/build/bin/pip --python /opt/trade-manager/bin/python install \
    --no-deps --require-hashes --only-binary :all: -r requirements-slim.txt

FROM slim-packages AS packages
COPY requirements.txt .
RUN /opt/build/bin/pip --python /opt/trade-manager/bin/python install \
    --no-deps --require-hashes --only-binary :all: -r requirements.txt

FROM slim-packages AS wheel
COPY requirements-build.txt .
RUN /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY state state
COPY strategies strategies
COPY control control
COPY daemon daemon
RUN /opt/build/bin/pip --python /opt/build/bin/python wheel --no-deps --no-build-isolation \
        --wheel-dir wheels .

FROM slim-packages AS slim-program
COPY --from=wheel /build/wheels wheels
RUN /opt/build/bin/pip --python /opt/trade-manager/bin/python install --no-deps --no-index \
        wheels/*.whl

FROM packages AS program
COPY --from=wheel /build/wheels wheels
RUN /opt/build/bin/pip --python /opt/trade-manager/bin/python install --no-deps --no-index \
        wheels/*.whl

FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="Trade Manager" org.opencontainers.image.licenses="MIT"
RUN apt-get update && apt-get install -y --no-install-recommends tini && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && \
    groupadd --gid 10001 tm && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/trade-manager tm && \
    install -d -o 10001 -g 10001 -m 0770 /var/lib/trade-manager /reports /backups && \
    install -d -o 10001 -g 10001 -m 0750 /run/trade-manager
# no VOLUME: under DockerOperator each run would leave an anonymous one behind
ENV PATH=/opt/trade-manager/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLBACKEND=Agg \
    TM_STATE=/var/lib/trade-manager
USER 10001:10001
WORKDIR /var/lib/trade-manager
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["tm", "health"]
# without an init, SIGTERM to a child of PID 1 costs docker stop's whole grace period
ENTRYPOINT ["tini", "--"]
CMD ["tmd"]

FROM runtime AS slim
COPY --from=slim-program /opt/trade-manager /opt/trade-manager

FROM runtime AS full
COPY --from=program /opt/trade-manager /opt/trade-manager
