"""Builds the wheel: the package, libfathom.so and the metadata in a zip file (PEP 427), as pip asks for it (PEP 517).

It needs nothing but Python's standard library, so that a fresh environment without network can build, and it writes
nothing into the source tree.
"""

import base64
import hashlib
import io
import os
import re
import stat
import tarfile
import zipfile

import library
from elf import Elf, platform_tag

PACKAGE = library.PACKAGE
METADATA = """Metadata-Version: 2.1
Name: libfathom
Version: {version}
Summary: Large language models on CPUs, inside your process
Author: The fathom maintainers
Maintainer: The fathom maintainers
License: Apache-2.0
Keywords: llm,inference,cpu,mixture of experts,gguf,safetensors
Classifier: Development Status :: 5 - Production/Stable
Classifier: Intended Audience :: Developers
Classifier: License :: OSI Approved :: Apache Software License
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{description}"""
TIME = (1980, 1, 1, 0, 0, 0)  # of every file, so that equal content makes equal wheels


def read(*path):
    with open(os.path.join(PACKAGE, *path), encoding="utf-8") as file:
        return file.read()


def version():
    """The header's version."""
    numbers = dict(re.findall(r"^FATHOM_VERSION_(\w+) = (\d+)$", read("fathom", "_abi.py"), re.M))
    return f"{numbers['MAJOR']}.{numbers['MINOR']}.{numbers['PATCH']}"


def metadata():
    return METADATA.format(version=version(), description=read("README.md"))


def licence():
    """The repository's LICENSE; beside the package in a source distribution. None where neither is."""
    places = [os.path.join(PACKAGE, "LICENSE"), os.path.join(library.repository() or PACKAGE, "LICENSE")]
    return next((place for place in places if os.path.isfile(place)), None)


def info_folder():
    return f"libfathom-{version()}.dist-info"


def info_files(tag):
    """The metadata's files but for the record: name and content."""
    files = {"METADATA": metadata(), "WHEEL": f"Wheel-Version: 1.0\nGenerator: fathom\nRoot-Is-Purelib: false\nTag: {tag}\n",
             "top_level.txt": "fathom\n"}
    if licence():
        with open(licence(), encoding="utf-8") as file:
            files["licenses/LICENSE"] = file.read()
    return files


class Wheel:
    def __init__(self, path):
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._record = []

    def add(self, name, content, executable=False):
        entry = zipfile.ZipInfo(name, TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
        self._zip.writestr(entry, content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        self._record.append(f"{name},sha256={digest},{len(content)}")

    def close(self, record):
        self.add(record, "".join(f"{line}\n" for line in [*self._record, f"{record},,"]).encode())
        self._zip.close()


def sources():
    """The package's files."""
    folder = os.path.join(PACKAGE, "fathom")
    return sorted(name for name in os.listdir(folder) if name.endswith((".py", ".typed")))


# ---- What pip calls


def get_requires_for_build_wheel(config_settings=None):
    return []


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = os.path.join(metadata_directory, info_folder())
    for name, content in info_files("py3-none-any").items():  # the tag is decided when the library is there
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)
    return info_folder()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    place = library.find()
    tag = f"py3-none-{platform_tag(Elf(place))}"  # nothing is compiled against Python
    name = f"libfathom-{version()}-{tag}.whl"
    wheel = Wheel(os.path.join(wheel_directory, name))
    for source in sources():
        with open(os.path.join(PACKAGE, "fathom", source), "rb") as file:
            wheel.add(f"fathom/{source}", file.read())
    with open(place, "rb") as file:
        wheel.add(f"fathom/{library.NAME}", file.read(), executable=True)
    for file_name, content in info_files(tag).items():
        wheel.add(f"{info_folder()}/{file_name}", content.encode())
    wheel.close(f"{info_folder()}/RECORD")
    return name


def build_sdist(sdist_directory, config_settings=None):
    """The package without the library: whoever builds a wheel from it sets FATHOM_LIBRARY."""
    base = f"libfathom-{version()}"
    files = [f"fathom/{name}" for name in sources()] + ["pyproject.toml", "README.md"]
    files += [f"building/{name}.py" for name in ("elf", "library", "wheel_backend")]
    with tarfile.open(os.path.join(sdist_directory, f"{base}.tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name in files:
            archive.add(os.path.join(PACKAGE, name), f"{base}/{name}")
        if licence():
            archive.add(licence(), f"{base}/LICENSE")
        entry = tarfile.TarInfo(f"{base}/PKG-INFO")
        content = metadata().encode()
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return f"{base}.tar.gz"
