"""Reads a shared library's ELF file (64 bits, little-endian): its symbols, and the libraries and versions it needs."""

import struct

SYMBOLS, DYNAMIC, NEEDED_VERSIONS = 11, 6, 0x6FFFFFFE  # types of sections
NEEDED_LIBRARY = 1  # tag of an entry of the dynamic section
MACHINES = {62: "x86_64", 183: "aarch64"}

# The oldest glibc of the systems that have these versions of the C++ run time's symbols; see PEP 600.
CXX_RUN_TIMES = [  # glibc, GLIBCXX, CXXABI, GCC
    ((2, 17), (3, 4, 19), (1, 3, 7), (4, 8, 0)),
    ((2, 24), (3, 4, 22), (1, 3, 10), (4, 8, 0)),
    ((2, 28), (3, 4, 24), (1, 3, 11), (7, 0, 0)),
    ((2, 31), (3, 4, 28), (1, 3, 12), (7, 0, 0)),
    ((2, 34), (3, 4, 29), (1, 3, 13), (7, 0, 0)),
    ((2, 35), (3, 4, 30), (1, 3, 13), (12, 0, 0)),
    ((2, 39), (3, 4, 33), (1, 3, 15), (14, 0, 0)),
]
SYSTEM_LIBRARIES = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libstdc++.so.6", "libgcc_s.so.1",
                    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


class Elf:
    """machine; needed: names of libraries; versions: of needed symbols, {"GLIBC": (2, 34), ...}, the greatest of each;
    defined, undefined: names of dynamic symbols. ValueError for anything but a 64-bit little-endian ELF file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._data = file.read()
        if self._data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is no 64-bit ELF file")
        try:
            self._read()
        except (struct.error, IndexError) as error:
            raise ValueError(f"{path} is cut short or damaged") from error

    def _read(self):
        self.needed, self.versions, self.defined, self.undefined = [], {}, set(), set()
        self.machine = MACHINES.get(struct.unpack_from("<H", self._data, 18)[0])
        (table,) = struct.unpack_from("<Q", self._data, 40)
        size, count = struct.unpack_from("<HH", self._data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", self._data, table + size * i) for i in range(count)]
        for _, kind, _, _, at, length, link, entries, _, _ in sections:
            if kind in (SYMBOLS, DYNAMIC, NEEDED_VERSIONS):
                strings = sections[link][4]
                if kind == SYMBOLS:
                    self._read_symbols(at, length, strings)
                elif kind == DYNAMIC:
                    self._read_dynamic(at, length, strings)
                else:
                    self._read_versions(at, entries, strings)

    def _text(self, at):
        return self._data[at:self._data.index(b"\0", at)].decode("ascii", "replace")

    def _read_symbols(self, at, length, strings):
        for place in range(at + 24, at + length, 24):
            name, _, _, section = struct.unpack_from("<IBBH", self._data, place)
            (self.defined if section else self.undefined).add(self._text(strings + name))

    def _read_dynamic(self, at, length, strings):
        for place in range(at, at + length, 16):
            tag, value = struct.unpack_from("<qQ", self._data, place)
            if tag == NEEDED_LIBRARY:
                self.needed.append(self._text(strings + value))

    def _read_versions(self, at, entries, strings):
        for _ in range(entries):
            _, count, _, first, following = struct.unpack_from("<HHIII", self._data, at)
            place = at + first
            for _ in range(count):
                _, _, _, name, step = struct.unpack_from("<IHHII", self._data, place)
                family, _, number = self._text(strings + name).rpartition("_")
                if number.replace(".", "").isdigit():
                    self.versions[family] = max(self.versions.get(family, ()), tuple(map(int, number.split("."))))
                place += step
            at += following


def platform_tag(elf):
    """A wheel's platform tag: which glibc the library needs ("manylinux_2_34_x86_64"), or "linux_x86_64" where its needs go
    beyond glibc and the C++ run times known here."""
    glibc = elf.versions.get("GLIBC")
    if glibc and set(elf.needed) <= set(SYSTEM_LIBRARIES):
        for least, *run_time in CXX_RUN_TIMES:
            if all(elf.versions.get(name, ()) <= most for name, most in zip(("GLIBCXX", "CXXABI", "GCC"), run_time)):
                major, minor = max(least, glibc[:2])
                return f"manylinux_{major}_{minor}_{elf.machine}"
    return f"linux_{elf.machine}"
