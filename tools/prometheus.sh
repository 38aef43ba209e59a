#!/bin/sh
# Puts prometheus and promtool into $PD_TOOLS/bin: those on PATH, else Debian's.
# The tests and the demo run the shipped rules in them.
set -eu
: "${PD_TOOLS:?is set by the Makefile}"

bin=$PD_TOOLS/bin
oldest=2.40

recent_enough() {
  version=$("$1" --version 2>&1 | sed -n 's/.*, version \([0-9.]*\).*/\1/p')
  [ -n "$version" ] && [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ]
}

advice() {
  printf '%s\n' \
    "No prometheus and promtool $oldest or newer: the shipped rules cannot be tried." \
    'Put both on PATH (https://prometheus.io/download/) and run make again.' >&2
  exit 1
}

mkdir -p "$bin"
for name in prometheus promtool; do
  [ ! -x "$bin/$name" ] || continue
  found=$(command -v "$name" || true)
  if [ -n "$found" ] && recent_enough "$found"; then
    ln -sf "$found" "$bin/$name"
    continue
  fi
  # Newer releases have promtool in a package of its own.
  "$(dirname "$0")/debian-binary.sh" 'prometheus promtool' \
    usr/bin/prometheus "$bin/prometheus" usr/bin/promtool "$bin/promtool" || advice
  recent_enough "$bin/$name" || { rm -f "$bin/$name"; advice; }
done
