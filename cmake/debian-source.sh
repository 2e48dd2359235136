#!/bin/sh
# Fetches and unpacks the source of a Debian package from a given suite.
# usage: debian-source.sh SUITE PACKAGE DESTDIR
# Nothing outside DESTDIR changes. Needs apt and dpkg-dev, no root.
# A mirror may lag behind with the small files of a source package. Then the upstream archive is unpacked without Debian's changes;
# apt checks it in the same way.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 SUITE PACKAGE DESTDIR" >&2; exit 2; }
command -v dpkg-source >/dev/null || { echo "debian-source.sh: this needs dpkg-dev" >&2; exit 1; }
. "$(dirname "$0")/debian-suite.sh"
use_suite "$1" deb-src
mkdir -p "$3"; cd "$3"
apt-get -q source "$2" >&2 && exit
echo "debian-source.sh: taking the upstream archive of $2 alone" >&2
apt-get -q source --tar-only "$2" >&2
for archive in "$2"_*.orig.tar.*; do
  case $archive in *.asc|*"*"*) continue ;; esac
  version=${archive#"$2"_}; version=${version%.orig.tar.*}
  mkdir -p "$2-$version"
  tar -xf "$archive" -C "$2-$version" --strip-components=1
done
ls -d "$2"-*/ >&2
