#!/bin/sh
# Makes .venv, or brings it up to date with pyproject.toml.
#
#   PYTHON   the interpreter to use; by default the newest suitable one
#
# .venv/.complete holds the directory it was made in and exists only while the
# environment is complete: what was interrupted or moved is made anew.
set -eu
cd "$(dirname "$0")/.."

complete=.venv/.complete
extras='gpu,demo,tune,dev'

die() {
  printf '%s\n' "$@" >&2
  exit 1
}

suitable() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  candidates=${PYTHON:-python3.13 python3.12 python3.11 python3}
  for candidate in $candidates; do
    if suitable "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  die "There is no Python 3.11 or newer here (tried: $candidates)." \
    'Install it (Debian: apt-get install python3, Ubuntu 22.04: python3.11) or name it: make PYTHON=/path/to/python3.11'
}

# Debian splits ensurepip off into python3-venv. Without it, pip comes out of
# the package that python3-venv would take it from.
make_without_ensurepip() {
  wheel=.cache/pip.whl
  tools/debian-binary.sh python3-pip-whl 'usr/share/python-wheels/pip-*.whl' "$wheel" || die \
    "$1 has no ensurepip, so .venv cannot be made. Install it (Debian and Ubuntu: apt-get install python3-venv)."
  "$1" -m venv --without-pip .venv
  .venv/bin/python "$wheel/pip" install --quiet --disable-pip-version-check --ignore-installed pip
  rm "$wheel"
}

make_venv() {
  rm -rf .venv
  python=$(find_python)
  echo "setting up .venv with $("$python" --version) (about 30 s) …"
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv .venv
  else
    make_without_ensurepip "$python"
  fi
}

# A second make waits here and then finds everything done.
mkdir -p .cache
exec 9>.cache/venv.lock
if command -v flock >/dev/null; then flock 9; fi

here=$(pwd -P)
if .venv/bin/python -V >/dev/null 2>&1 && [ "$(cat "$complete" 2>/dev/null)" = "$here" ]; then
  [ -n "$(find pyproject.toml -newer "$complete")" ] || exit 0
  echo 'bringing .venv up to date with pyproject.toml …'
else
  make_venv
fi

mv -f "$complete" .venv/.before 2>/dev/null || true
log=.venv/pip.log
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --editable ".[$extras]" >"$log" 2>&1; then
  cat "$log" >&2
  mv -f .venv/.before "$complete" 2>/dev/null || true
  die 'pip could not install what pyproject.toml asks for (above).'
fi
rm -f .venv/.before
echo "$here" >"$complete.new"
mv -f "$complete.new" "$complete"
