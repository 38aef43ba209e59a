#!/bin/sh
# Builds the image with whichever builder is here.
#
#   IMAGE          name:tag, by default pd-exporter:VERSION
#   BASE           the base image, by default the one in Dockerfile
#   PIP_INDEX_URL  an index of Python packages, by default pip's own
#
# Arguments are handed to the builder: docs/image.md.
set -eu
cd "$(dirname "$0")/.."

# A docker without its daemon, or a podman that may not run, is no builder.
find_builder() {
  for candidate in docker podman buildah nerdctl; do
    if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  printf '%s\n' \
    'No builder of images answers here (tried: docker, podman, buildah, nerdctl).' \
    'Start its daemon, or install one that needs none (Debian and Ubuntu: apt-get install buildah).' >&2
  exit 1
}

builder=$(find_builder)
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/pd_exporter/__init__.py)
revision=$(git describe --always --abbrev=40 --exclude '*' --dirty 2>/dev/null || true)
image=${IMAGE:-pd-exporter:$version}

set -- --tag "$image" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "$@"
[ -z "${BASE:-}" ] || set -- --build-arg "BASE=$BASE" "$@"
[ -z "${PIP_INDEX_URL:-}" ] || set -- --build-arg "PIP_INDEX_URL=$PIP_INDEX_URL" "$@"

echo "building $image with $builder …"
exec "$builder" build "$@" .
