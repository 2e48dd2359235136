# Sourced, not run: package lists of another suite for apt, in a temporary folder that goes when the script ends.
#   . debian-suite.sh; use_suite SUITE deb|deb-src
# Afterwards apt-get sees that suite's main part alone. It asks the mirror this machine is already set up with, and apt checks
# the signatures as for any other package, so the project names no host and pins no key. Needs Debian's apt, no root.

use_suite() {
  [ -r /etc/os-release ] && . /etc/os-release
  if [ "${ID:-}" != debian ] || ! command -v apt-get >/dev/null; then
    echo "debian-suite.sh: this needs Debian with apt" >&2; return 1
  fi
  suite_folder=$(mktemp -d); chmod 755 "$suite_folder"; trap 'rm -rf "$suite_folder"' EXIT
  mkdir -p "$suite_folder/lists/partial" "$suite_folder/archives/partial" "$suite_folder/parts"

  # The entries of this release itself, turned into the wanted suite: same mirror and keyring. Security and update suites, and
  # other vendors' repositories, do not list the release's own name and so drop out.
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk -v release="$VERSION_CODENAME" -v suite="$1" -v type="$2" '
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
          if (line ~ /^Types:/) line = "Types: " type
          if (line ~ /^Components:/) line = "Components: main"
          stanza = stanza line "\n"
        }
        if (wanted) print stanza
      }' "$file" >> "$suite_folder/parts/suite.sources"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -nE "s#^deb(-src)?([[:space:]]+(\[[^]]*\])?[[:space:]]*[^[:space:]]+[[:space:]]+)$VERSION_CODENAME[[:space:]].*#$2\2$1 main#p" \
      "$file" | sort -u >> "$suite_folder/parts/suite.list"
  done
  if [ ! -s "$suite_folder/parts/suite.sources" ] && [ ! -s "$suite_folder/parts/suite.list" ]; then
    echo "debian-suite.sh: apt is not set up with a mirror for Debian $VERSION_CODENAME" >&2; return 1
  fi

  {
    echo "Dir::Etc::sourcelist \"/dev/null\";"
    echo "Dir::Etc::sourceparts \"$suite_folder/parts\";"
    echo "Dir::State::lists \"$suite_folder/lists\";"
    echo "Dir::Cache \"$suite_folder\";"
    echo "APT::Get::List-Cleanup \"0\";"
    # without this, a failed download of the lists is only a warning and the error that follows is misleading
    echo "APT::Update::Error-Mode \"any\";"
    # apt's own unprivileged user cannot write below a folder of root's, which would only cause a warning per file
    [ "$(id -u)" -eq 0 ] && echo "APT::Sandbox::User \"root\";"
  } > "$suite_folder/apt.conf"
  export APT_CONFIG="$suite_folder/apt.conf"
  apt-get -q update >&2
}
