"""Finds the libfathom.so that goes into the wheel, or builds it.

1. FATHOM_LIBRARY, where it is set: an absolute path, or one relative to the caller's folder or to the repository's root.
2. build*/lib/libfathom.so in the repository.
3. CMake builds the target fathom_capi in the repository's folder build.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

from elf import Elf

NAME = "libfathom.so"
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def caller_folder():
    """The folder in which pip was called. pip runs this code in the package's folder, but does not change the shell's PWD."""
    folder = os.environ.get("PWD", "")
    return folder if os.path.isabs(folder) and os.path.isdir(folder) else os.getcwd()


def repository():
    """The repository's root, or None where there is none. Old versions of pip build a copy of the package elsewhere."""
    up_from_caller, folder = [], caller_folder()
    while folder != os.path.dirname(folder):
        up_from_caller.append(folder)
        folder = os.path.dirname(folder)
    for root in [os.path.dirname(os.path.dirname(PACKAGE)), *up_from_caller]:
        if all(os.path.isfile(os.path.join(root, *file)) for file in (("CMakeLists.txt",), ("capi", "include", "fathom.h"))):
            return root
    return None


def functions():
    """The names of the functions that the package calls."""
    with open(os.path.join(PACKAGE, "fathom", "_abi.py"), encoding="utf-8") as file:
        return set(re.findall(r"library\.(fathom_\w+)\.restype", file.read()))


def objection(path):
    """Why a file cannot be the wheel's library; None where it can."""
    if not os.path.isfile(path):
        return "there is no such file"
    try:
        elf = Elf(path)
    except ValueError as error:
        return str(error)
    if elf.machine is None:
        return f"{path} is for an unknown processor"
    if any(name.startswith(("__asan_", "__tsan_")) for name in elf.undefined):
        return "it was built with a sanitizer, and Python cannot load it"
    missing = sorted(functions() - elf.defined)
    if missing:
        return f"it lacks {missing[0]}; it is of another version, or it is not fathom"
    return None


def say(sentence):
    print(f"libfathom: {sentence}", file=sys.stderr, flush=True)


def named(wanted):
    """The library that FATHOM_LIBRARY names."""
    folders = [caller_folder(), os.getcwd(), repository() or os.getcwd()]
    places = list(dict.fromkeys(os.path.normpath(os.path.join(folder, wanted)) for folder in folders))
    reasons = {place: objection(place) for place in places}
    for place, reason in reasons.items():
        if reason is None:
            return place
    looked = "; ".join(f"{place}: {reason}" for place, reason in reasons.items())
    raise SystemExit(f"FATHOM_LIBRARY is '{wanted}', which is no usable library. Looked at {looked}.")


def built(root):
    """The library in one of the build folders: build before others, then the newest. None where there is none."""
    found = glob.glob(os.path.join(glob.escape(root), "build*", "lib", NAME))
    for place in sorted(found, key=lambda place: (place.split(os.sep)[-3] != "build", -os.path.getmtime(place))):
        reason = objection(place)
        if reason is None:
            return place
        say(f"{place} is passed over: {reason}")
    return None


def build(root):
    """Builds the library with CMake."""
    folder = os.path.join(root, "build")
    place = os.path.join(folder, "lib", NAME)
    by_hand = ("Build it by hand (cmake/dependencies.sh; cmake -S . -B build; cmake --build build --target fathom_capi), or "
               "set FATHOM_LIBRARY to the absolute path of another one.")
    if shutil.which("cmake") is None:
        raise SystemExit(f"There is no {place}, and no cmake to build it with. {by_hand}")
    say(f"there is no {place} yet: CMake builds it, which takes some minutes")
    is_new = not os.path.exists(os.path.join(folder, "CMakeCache.txt"))
    generator = ["-G", "Ninja"] if is_new and shutil.which("ninja") else []
    for command in (["cmake", "-S", root, "-B", folder, *generator],
                    ["cmake", "--build", folder, "--target", "fathom_capi", "--parallel", str(os.cpu_count() or 1)]):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise SystemExit(f"'{' '.join(command)}' failed, so there is no {place}. {by_hand}")
    reason = objection(place)
    if reason is not None:
        raise SystemExit(f"CMake was to build {place}, but {reason}. {by_hand}")
    return place


def find():
    """The absolute path of the library. SystemExit with a sentence that names every path looked at."""
    wanted = os.environ.get("FATHOM_LIBRARY")
    if wanted:
        place = named(wanted)
    else:
        root = repository()
        if root is None:
            raise SystemExit(f"This copy of the package ({PACKAGE}) lies in no clone of the repository, so the library can be "
                             "neither found nor built. Set FATHOM_LIBRARY to the absolute path of libfathom.so.")
        place = built(root) or build(root)
    say(f"the wheel gets {place}")
    return place
