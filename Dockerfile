# Both halves of the exporter on Python without a shell: docs/image.md.
ARG BASE=docker.io/library/python:3.13.16-slim-trixie

FROM ${BASE} AS root
COPY image/root.sh /
WORKDIR /rootfs
RUN sh /root.sh

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore PIP_WHEEL_DIR=/wheels
WORKDIR /src
COPY image/*.txt image/
RUN pip install --require-hashes --only-binary :all: -r image/build.txt \
 && pip wheel --require-hashes --only-binary :all: --no-binary nkeys --no-build-isolation \
      -r image/requirements.txt
COPY pyproject.toml README.md ./
COPY rules/ rules/
COPY src/ src/
RUN pip wheel --no-build-isolation --no-deps . \
 && python3 -m venv --without-pip /opt/pd-exporter \
 && pip --python /opt/pd-exporter install --no-index --no-deps /wheels/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/pd-exporter
# $ORIGIN, by which Python finds its library, needs /proc, which is not in the chroot.
COPY --from=root /rootfs /rootfs
RUN cp -a --parents /opt/pd-exporter /rootfs && LD_LIBRARY_PATH=/usr/local/lib chroot /rootfs /opt/pd-exporter/bin/python -c \
      'import aiohttp, ctypes, grpclib.client, nacl.signing, pd_exporter.serve, pynvml, ssl, yaml'

FROM scratch
COPY --from=root /rootfs /
COPY --from=build /opt/pd-exporter /opt/pd-exporter
# Where container runtimes put NVML that does not lie where Debian's loader looks.
ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/lib64 PATH=/opt/pd-exporter/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONUTF8=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG REVISION
ARG SOURCE
ARG VERSION
LABEL org.opencontainers.image.title="pd-exporter" \
      org.opencontainers.image.description="Autoscaling signals for Prefill/Decode-disaggregated LLM inference" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 7339
USER 65532:65532
ENTRYPOINT ["/opt/pd-exporter/bin/pd-exporter"]
