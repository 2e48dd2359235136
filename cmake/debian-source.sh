#!/bin/sh
# Fetches and unpacks the source of a Debian package from a given suite.
# usage: debian-source.sh SUITE PACKAGE DESTDIR
#
# It asks the mirror this machine is already set up with, and lets apt check the signatures as for any other package, so the
# project names no host and pins no key. Nothing outside DESTDIR changes: apt gets package lists of its own in a temporary folder.
# Needs apt and dpkg-dev, no root.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 SUITE PACKAGE DESTDIR" >&2; exit 2; }
suite=$1 package=$2 dest=$3
[ -r /etc/os-release ] && . /etc/os-release
if [ "${ID:-}" != debian ] || ! command -v apt-get >/dev/null || ! command -v dpkg-source >/dev/null; then
  echo "debian-source.sh: this needs Debian with apt and dpkg-dev" >&2; exit 1
fi

work=$(mktemp -d); chmod 755 "$work"; trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/parts"

# The entries of this release itself, turned into the wanted suite: same mirror and keyring, sources instead of binaries.
# Security and update suites, and other vendors' repositories, do not list the release's own name and so drop out.
for file in /etc/apt/sources.list.d/*.sources; do
  [ -e "$file" ] || continue
  awk -v release="$VERSION_CODENAME" -v suite="$suite" '
    BEGIN { RS = ""; FS = "\n"; ORS = "\n\n" }
    {
      wanted = 0; stanza = ""
      for (i = 1; i <= NF; i++) {
        line = $i
        if (line ~ /^#/) continue
        if (line ~ /^Suites:/) {
          n = split(line, word, /[ \t]+/)
          for (j = 2; j <= n; j++) if (word[j] == release) wanted = 1
          line = "Suites: " suite
        }
        if (line ~ /^Types:/) line = "Types: deb-src"
        if (line ~ /^Components:/) line = "Components: main"
        stanza = stanza line "\n"
      }
      if (wanted) print stanza
    }' "$file" >> "$work/parts/source.sources"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -e "$file" ] || continue
  sed -nE "s#^deb(-src)?([[:space:]]+(\[[^]]*\])?[[:space:]]*[^[:space:]]+[[:space:]]+)$VERSION_CODENAME[[:space:]].*#deb-src\2$suite main#p" \
    "$file" | sort -u >> "$work/parts/source.list"
done
if [ ! -s "$work/parts/source.sources" ] && [ ! -s "$work/parts/source.list" ]; then
  echo "debian-source.sh: apt is not set up with a mirror for Debian $VERSION_CODENAME" >&2; exit 1
fi

set -- -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" -o Dir::State::lists="$work/lists" \
  -o Dir::Cache="$work" -o APT::Get::List-Cleanup=0
# apt's own unprivileged user cannot write below a folder of root's, which would only cause a warning per file
[ "$(id -u)" -eq 0 ] && set -- "$@" -o APT::Sandbox::User=root
# without this, a failed download of the lists is only a warning and the error that follows is misleading
apt-get "$@" -o APT::Update::Error-Mode=any update >&2
mkdir -p "$dest"; cd "$dest"
apt-get "$@" source "$package" >&2
