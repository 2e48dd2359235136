#!/bin/sh
# Fetches a program of another Debian suite with all the libraries it needs, and unpacks them into a folder of their own:
# nothing is installed, and the libraries of this machine stay as they are.
# usage: debian-program.sh SUITE PACKAGE DESTDIR
# Afterwards DESTDIR/run PROGRAM [ARGUMENTS] runs DESTDIR/root/usr/bin/PROGRAM. Needs apt, no root.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 SUITE PACKAGE DESTDIR" >&2; exit 2; }
. "$(dirname "$0")/debian-suite.sh"
use_suite "$1" deb
mkdir -p "$3/root"; cd "$3"

# As if nothing were installed, so that everything comes along, the C library too.
: > "$suite_folder/nothing"
apt-get -q -y -o Dir::State::status="$suite_folder/nothing" --no-install-recommends --download-only install "$2" >&2
for package in "$suite_folder"/archives/*.deb; do dpkg-deb --extract "$package" root; done

# The suite's own loader, told where its libraries are; what it loads later may come from this machine.
cat > run <<'RUN'
#!/bin/sh
root=$(cd "$(dirname "$0")" && pwd)/root
program=$1; shift
libraries=$(find "$root" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -s -d :)
exec "$(ls "$root"/usr/lib*/ld-linux-*.so.* "$root"/lib*/ld-linux-*.so.* 2>/dev/null | head -n 1)" \
  --library-path "$libraries" "$root/usr/bin/$program" "$@"
RUN
chmod +x run
