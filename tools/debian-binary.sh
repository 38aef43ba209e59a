#!/bin/sh
# Takes files out of Debian packages without installing them:
#
#   PD_TOOLS=DIR tools/debian-binary.sh 'PACKAGE...' PATH DEST [PATH DEST]...
#
# PATH is the file's place in one of the packages, wildcards allowed; packages
# that the distribution does not have are skipped. Runs as any user and where
# `apt-get update` never ran: apt reads the machine's sources, keys and proxies,
# and keeps lists, cache and state of its own under PD_TOOLS. What exists is
# left alone, and a DEST appears complete or not at all.
set -eu
: "${PD_TOOLS:?is set by the Makefile}"

packages=$1
shift

die() {
  echo "$*" >&2
  exit 1
}

have_all() {
  while [ $# -gt 0 ]; do
    [ -x "$2" ] || return 1
    shift 2
  done
}

have_all "$@" && exit
for program in apt-get dpkg-deb flock; do
  command -v "$program" >/dev/null || die \
    "There is no $program here, so the Debian packages cannot be fetched: $packages"
done

# One at a time; whoever waited may find everything done.
mkdir -p "$PD_TOOLS"
exec 9>"$PD_TOOLS/lock"
flock 9
have_all "$@" && exit

work=$PD_TOOLS/unpack
apt=$PD_TOOLS/apt
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work" "$apt/state/lists/partial" "$apt/cache/archives/partial"

# The machine's own apt configuration stays in force, but for places, for hooks
# that act on the machine, and for indexes other than the packages'.
cat >"$apt/apt.conf" <<EOF
Dir::State "$apt/state";
Dir::State::lists "lists";
Dir::Cache "$apt/cache";
Dir::Cache::archives "archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {
  MetaKey "\$(COMPONENT)/binary-\$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "\$(RELEASE)/\$(COMPONENT) \$(ARCHITECTURE) Packages";
};
Acquire::GzipIndexes "true";
Acquire::PDiffs "false";
Acquire::Retries "3";
EOF

apt_get() {
  (cd "$work" && apt-get -q -c "$apt/apt.conf" "$@")
}

unpacked() {
  find "$work/root" -type f -path "$work/root/$1"
}

# Unpacks what there is of the packages; true when that has all files.
unpack() {
  rm -rf "$work"/*.deb "$work/root"
  mkdir "$work/root"
  for package in $packages; do
    if apt_get download "$package"; then
      dpkg-deb -x "$work/$package"_*.deb "$work/root" || return 1
    fi
  done
  while [ $# -gt 0 ]; do
    [ -n "$(unpacked "$1")" ] || return 1
    shift 2
  done
}

# An update is needed at first and when a package has a newer version since; it
# may fail for a source that has nothing to do with these packages.
update() {
  apt_get update || true
}

echo "fetching with apt-get: $packages …"
if ! { unpack "$@" || { update && unpack "$@"; }; } >"$work/log" 2>&1; then
  cat "$work/log" >&2
  die "apt-get could not fetch this (above): $packages"
fi

while [ $# -gt 0 ]; do
  file=$(unpacked "$1")
  chmod a+rx "$file"
  mkdir -p "$(dirname "$2")"
  mv -f "$file" "$2"
  shift 2
done
