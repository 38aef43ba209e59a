#!/bin/sh
# Pins what the image is made of, by version and hash: image/requirements.txt is what the exporter
# runs with, image/build.txt what makes wheels of it and of nkeys, which has none. What is pinned and
# still fits stays; the newest of all is had with
#
#   tools/lock.sh --upgrade
set -eu
cd "$(dirname "$0")/.."

oldest=3.11 # of Python, as in pyproject.toml: the base image may have any since
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

.venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$work" 'uv>=0.9,<1'

uv() {
  "$work/bin/uv" pip "$@"
}

pin() {
  file=$1
  shift
  uv compile --quiet --universal --python-version "$oldest" --generate-hashes --no-emit-index-url \
    --custom-compile-command 'make lock' --output-file "$file" "$@"
}

.venv/bin/python -c '
import tomllib

with open("pyproject.toml", "rb") as file:
    print("setuptools", *tomllib.load(file)["build-system"]["requires"], sep="\n")
' >"$work/build.in"

pin image/requirements.txt --extra gpu "$@" pyproject.toml
pin image/build.txt --no-annotate "$@" "$work/build.in"

# The image is built without compilers: what is not plain Python needs a wheel for each machine.
for machine in x86_64 aarch64; do
  for file in image/*.txt; do
    uv install --quiet --dry-run --target "$work/tried" --require-hashes \
      --only-binary :all: --no-binary nkeys \
      --python-version 3.13 --python-platform "$machine-manylinux_2_28" --requirement "$file"
  done
done
