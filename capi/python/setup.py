"""Builds a wheel with the shared library inside. FATHOM_LIBRARY names the library to put there."""

import os
import shutil
import sysconfig

from setuptools import setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        library = os.environ.get("FATHOM_LIBRARY")
        if not library:
            raise SystemExit("set FATHOM_LIBRARY to the libfathom.so to put into the wheel")
        shutil.copy(library, os.path.join(self.build_lib, "fathom", "libfathom.so"))


class AnyPython(bdist_wheel):
    """One wheel for every Python 3 of a platform: nothing is compiled against Python."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": AnyPython})
