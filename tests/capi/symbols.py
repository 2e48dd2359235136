"""Looks at symbols of the built library.

symbols.py exported LIBRARY.so LIST     the functions it exports are exactly those of LIST
symbols.py imported LIBRARY.so...       a library with its dependencies calls nothing that could end the host's process, write to its
                                        terminal or read its environment, but for the exceptions below
symbols.py forbidden FILE...            no object in these does, without exceptions
"""

import subprocess
import sys

FORBIDDEN = {
    # ending the process
    "abort", "exit", "_exit", "_Exit", "quick_exit", "__assert_fail", "__assert", "raise", "kill", "tgkill", "pthread_kill",
    "pthread_exit", "longjmp", "siglongjmp", "__longjmp_chk", "__chk_fail", "__fortify_fail", "err", "errx",
    "_ZSt10unexpectedv",
    # writing to standard output, to standard error or to the system's log; writing files
    "printf", "vprintf", "puts", "putchar", "putc", "perror", "fprintf", "vfprintf", "fputs", "fputc", "fwrite", "write", "warn",
    "warnx", "dprintf", "vdprintf", "__printf_chk", "__vprintf_chk", "__fprintf_chk", "__vfprintf_chk", "__dprintf_chk", "stdout",
    "stderr", "syslog", "__syslog_chk", "_ZSt4cout", "_ZSt4cerr", "_ZSt4clog",
    # what belongs to the host: environment, locale, signals, rounding, random numbers, processes
    "getenv", "secure_getenv", "__secure_getenv", "setenv", "putenv", "unsetenv", "clearenv", "environ", "__environ", "_environ",
    "setlocale", "uselocale", "_ZNSt6locale6globalERKS_", "signal", "sigaction", "fesetround", "fesetenv", "feupdateenv",
    "feenableexcept", "fedisableexcept", "srand", "rand", "srandom", "random", "system", "popen", "fork", "vfork", "execve",
}

# What a library may import all the same. Objects of ours are held to FORBIDDEN alone.
EXCEPTIONS = {
    "_ZSt9terminatev": "noexcept functions and std::thread's destructor hold this call; it is reached only by a defect of fathom",
    "__stack_chk_fail": "oneDNN is compiled with stack protection; it is reached only where the stack is overwritten already",
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


def imported(*libraries):
    ok = True
    for library in libraries:
        for words in nm("-D", "-u", library):
            name = words[-1].split("@")[0]
            if name in FORBIDDEN:
                print(f"{library} imports {name}")
                ok = False
            elif name in EXCEPTIONS:
                print(f"{library} imports {name}: {EXCEPTIONS[name]}")
    return ok


def forbidden(*files):
    ok = True
    for words in nm("-u", "-A", *files):
        name = words[-1].split("@")[0]
        if name in FORBIDDEN:
            print(f"{words[0]} refers to {name}")
            ok = False
    return ok


if __name__ == "__main__":
    checks = {"exported": exported, "imported": imported, "forbidden": forbidden}
    sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
