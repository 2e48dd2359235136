"""Finds and loads the shared library; turns statuses into exceptions."""

from __future__ import annotations

import ctypes
import os
from typing import Any

from . import _abi


class Error(Exception):
    """A call failed. `status` is its name: "corrupt_file", "out_of_memory", ..."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def _load() -> Any:
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libfathom.so")
    library = ctypes.CDLL(os.environ.get("FATHOM_LIBRARY") or inside)
    _abi.declare(library)
    return library


library = _load()


def check(status: int) -> None:
    """Raises Error for anything but FATHOM_OK."""
    if status != _abi.FATHOM_OK:
        name = library.fathom_status_name(status).decode()
        raise Error(name, library.fathom_last_error().decode("utf-8", "replace"))


def options(kind: Any, **fields: Any) -> Any:
    """A struct with its struct_size set."""
    made = kind(**fields)
    made.struct_size = ctypes.sizeof(kind)
    return made


def read_array(element: Any, call: Any) -> Any:
    """Variable output: asks for the size, then reads that much. `call(buffer, capacity, needed)`."""
    needed = ctypes.c_size_t()
    check(call(None, 0, ctypes.byref(needed)))
    buffer = (element * max(needed.value, 1))()
    check(call(buffer, needed.value, ctypes.byref(needed)))
    return buffer, needed.value


def as_array(buffer: Any, count: int) -> Any:
    """A copy as a NumPy array, or a memoryview where there is no NumPy."""
    try:
        import numpy
    except ImportError:
        return memoryview(bytearray(memoryview(buffer).cast("B"))).cast(memoryview(buffer).format.lstrip("<"))[:count]
    return numpy.frombuffer(buffer, dtype=numpy.dtype(buffer._type_), count=count).copy()


class Handle:
    """Owns one reference; usable with `with`. Every use after close() raises Error("invalid_argument")."""

    _release = ""

    def __init__(self) -> None:
        self._address = ctypes.c_void_p()

    @property
    def _handle(self) -> Any:
        if not self._address:
            raise Error("invalid_argument", f"this {type(self).__name__} is closed")
        return self._address

    def close(self) -> None:
        """Gives the reference back. Twice does nothing."""
        if self._address:
            address, self._address = self._address, ctypes.c_void_p()
            getattr(library, self._release)(address)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_address", None):
            self.close()
