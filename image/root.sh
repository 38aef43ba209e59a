#!/bin/sh
# Makes the image's root in the directory it runs in, out of a Debian with Python in /usr/local:
# Python, the libraries it links to, those that wheels and NVML take for granted, and what tells
# who is who. No shell, no package manager, no pip.
set -eu

stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
(
  cd "$stdlib"
  rm -rf config-* ensurepip idlelib pydoc_data site-packages/* tkinter turtle* venv
  cd lib-dynload
  rm -f _ctypes_test* _curses* _dbm* _gdbm* _sqlite3* _test* _tkinter* readline*
)
python3 -m compileall -q --invalidation-mode unchecked-hash "$stdlib"

mkdir -m 1777 tmp
mkdir -p etc var/lib/dpkg/status.d
printf '%s:x:%s::/:/sbin/nologin\n' root 0:0 nonroot 65532:65532 >etc/passwd
printf '%s:x:%s:\n' root 0 nonroot 65532 >etc/group
# By /etc/debian_version container runtimes tell where NVML belongs.
cp -a --parents /etc/debian_version /etc/nsswitch.conf /etc/os-release /usr/lib/os-release \
  /etc/ssl/certs/ca-certificates.crt .
cp -a --parents "$stdlib" /usr/local/lib/libpython3.*.so.* \
  /usr/local/bin/python3 "$(readlink -f /usr/local/bin/python3)" .

# /lib is a link to /usr/lib, and so on: one place for each file. libdl, libpthread and librt are
# empty since glibc 2.34, but NVML asks for them.
cp -P /lib* .
libraries=$(mktemp)
ldd /usr/local/bin/python3 "$stdlib"/lib-dynload/*.so >"$libraries.ldd"
awk '$(NF-1) ~ "^/(usr/)?lib" { sub("^/usr", "", $(NF-1)); print $(NF-1) }' \
  "$libraries.ldd" >"$libraries"
for name in dl gcc_s m pthread rt; do
  printf '%s\n' /usr/lib/*-linux-gnu/lib$name.so.* | cut -c 5- >>"$libraries"
done
sort -u "$libraries" | sed 's,^,/usr,' | xargs cp -L --parents -t .

# Scanners for known vulnerabilities look for packages here.
sort -u "$libraries" | sed 's,^,*,' | xargs dpkg -S >"$libraries.owners"
for package in ca-certificates $(sed -n 's/^\([a-z0-9.+-]*\)\(:[a-z0-9]*\)\?: .*/\1/p' \
  "$libraries.owners" | sort -u); do
  dpkg -s "$package" >"var/lib/dpkg/status.d/$package"
done
