"""Looks at symbols of the built library.

symbols.py exported LIBRARY.so LIST     the functions it exports are exactly those of LIST
symbols.py forbidden FILE...            no object in these calls what could end the host's process or write to its terminal
"""

import subprocess
import sys

FORBIDDEN = {
    # ending the process
    "abort", "exit", "_exit", "_Exit", "quick_exit", "__assert_fail", "raise", "kill",
    # writing to standard output or error
    "printf", "vprintf", "puts", "putchar", "perror", "__printf_chk", "__vprintf_chk", "stdout", "stderr",
    "_ZSt4cout", "_ZSt4cerr", "_ZSt4clog",
    # what belongs to the host
    "getenv", "secure_getenv", "setlocale", "signal", "sigaction", "fesetround", "_ZNSt6locale6globalERKS_",
}


def nm(*arguments):
    listing = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in listing.splitlines() if line]


def exported(library, expected_list):
    # absolute symbols are the names of versions
    found = {words[-1].split("@")[0] for words in nm("-D", "--defined-only", library) if words[-2] != "A"}
    with open(expected_list, encoding="utf-8") as lines:
        expected = set(lines.read().split())
    for name in sorted(found - expected):
        print(f"{library} exports {name}, which {expected_list} does not list")
    for name in sorted(expected - found):
        print(f"{library} does not export {name}, which {expected_list} lists")
    return found == expected


def forbidden(*files):
    ok = True
    for words in nm("-u", "-A", *files):
        name = words[-1].split("@")[0]
        if name in FORBIDDEN:
            print(f"{words[0]} refers to {name}")
            ok = False
    return ok


if __name__ == "__main__":
    checks = {"exported": exported, "forbidden": forbidden}
    sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
