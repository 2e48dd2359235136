#!/bin/sh
# Fetches and unpacks the source of a Debian package from a given suite.
# usage: debian-source.sh SUITE PACKAGE DESTDIR
# Nothing outside DESTDIR changes. Needs apt and dpkg-dev, no root.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 SUITE PACKAGE DESTDIR" >&2; exit 2; }
command -v dpkg-source >/dev/null || { echo "debian-source.sh: this needs dpkg-dev" >&2; exit 1; }
. "$(dirname "$0")/debian-suite.sh"
use_suite "$1" deb-src
mkdir -p "$3"; cd "$3"
apt-get -q source "$2" >&2
