"""Loads the shared library, turns statuses into exceptions, and converts arguments and results."""

from __future__ import annotations

import array
import ctypes
import operator
import os
import weakref
from typing import Any, Callable, Dict, Iterable, List, Tuple, TypeVar, Union

from . import _abi

Text = Union[str, bytes]
H = TypeVar("H", bound="Handle")


class Error(Exception):
    """A call failed. `status` is the status's name, such as "corrupt_file" or "out_of_memory"; `message` is a sentence that
    names the culprit."""

    status: str
    message: str

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.status, self.message)


def _load() -> Any:
    path = os.environ.get("FATHOM_LIBRARY") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libfathom.so")
    try:
        loaded = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"fathom's library cannot be loaded from {os.path.abspath(path)}: {error}; set FATHOM_LIBRARY to the "
                          "path of libfathom.so, or install the package with pip") from error
    declare: Any = _abi.declare
    try:
        declare(loaded)
    except AttributeError as error:
        raise ImportError(f"{os.path.abspath(path)} does not belong to this version of the package: {error}") from error
    return loaded


library = _load()


def check(status: int) -> None:
    """Raises Error for every status but FATHOM_OK, with the sentence of this thread's last call."""
    if status != _abi.FATHOM_OK:
        name = library.fathom_status_name(status).decode()
        raise Error(name, library.fathom_last_error().decode("utf-8", "replace"))


# ---- Arguments. ctypes cuts an integer to the width of its field in silence, so the functions below check first.

_INTEGERS: Dict[Any, Tuple[int, int]] = {
    kind: (-(1 << 8 * ctypes.sizeof(kind) - 1), (1 << 8 * ctypes.sizeof(kind) - 1) - 1) if kind(-1).value < 0 else
    (0, (1 << 8 * ctypes.sizeof(kind)) - 1)
    for kind in (ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_size_t)
}
_FLOATS = (ctypes.c_float, ctypes.c_double)
_kinds: Dict[Any, Dict[str, Any]] = {}  # of each struct: its fields' types


def integer(value: Any, name: str, kind: Any) -> int:
    """`value` as an integer that the C type `kind` can hold. TypeError for anything but an integer, Error("invalid_argument")
    for one out of range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a {type(value).__name__}, expected int") from None
    least, most = _INTEGERS[kind]
    if not least <= number <= most:
        raise Error("invalid_argument", f"{name} is {_short(number)}, expected {least} to {most}")
    return number


def options(kind: Any, **fields: Any) -> Any:
    """A struct of type `kind` with its struct_size set. Numbers are checked against their fields' types."""
    types = _kinds.setdefault(kind, dict(kind._fields_))
    made = kind()
    for name, value in fields.items():
        if types[name] in _INTEGERS:
            value = integer(value, name, types[name])
        elif types[name] in _FLOATS and not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"{name} is a {type(value).__name__}, expected float")
        setattr(made, name, value)
    made.struct_size = ctypes.sizeof(kind)
    return made


def utf8(text: Any, name: str) -> bytes:
    """The text's bytes. TypeError for anything but a str, Error("invalid_argument") for a lone surrogate."""
    if not isinstance(text, str):
        raise TypeError(f"{name} is a {type(text).__name__}, expected str")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        what = f"{name} has a lone surrogate at character {error.start}, which UTF-8 cannot hold"
        raise Error("invalid_argument", what) from None


def file_path(path: Union[Text, "os.PathLike[str]", "os.PathLike[bytes]"]) -> bytes:
    """A path's bytes as the file system has them. TypeError for anything but str, bytes and os.PathLike."""
    return os.fsencode(path)


def token_ids(tokens: Any, name: str = "tokens") -> Tuple[Any, int]:
    """A C array of token ids and their number. TypeError for text and for elements that are no integers,
    Error("invalid_argument") for a number that is no 32-bit integer."""
    if isinstance(tokens, (str, bytes, bytearray)) or not isinstance(tokens, Iterable):
        raise TypeError(f"{name} is a {type(tokens).__name__}, expected a sequence of token ids")
    given = tokens if isinstance(tokens, (list, tuple)) else list(tokens)
    try:
        ids = array.array("i", given)
    except (TypeError, OverflowError):
        ids = array.array("i", [integer(each, f"{name}[{at}]", ctypes.c_int32) for at, each in enumerate(given)])
    return (ctypes.c_int32 * max(len(ids), 1)).from_buffer(ids if ids else array.array("i", [0])), len(ids)


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**40 else f"an integer of {number.bit_length()} bits"


# ---- Results


def read_array(element: Any, call: Callable[[Any, int, Any], int], guess: int = 0) -> Tuple[Any, int]:
    """Variable output of `call(buffer, capacity, needed)`: the buffer and the number of its elements. The first call has room
    for `guess` elements; a second one has room for all."""
    needed = ctypes.c_size_t()
    buffer = (element * guess)() if guess else None
    status = call(buffer, guess, ctypes.byref(needed))
    if not guess and status == _abi.FATHOM_OK or status == _abi.FATHOM_BUFFER_TOO_SMALL:
        buffer = (element * max(needed.value, 1))()
        status = call(buffer, needed.value, ctypes.byref(needed))
    check(status)
    return buffer, needed.value


def read_ids(call: Callable[[Any, int, Any], int], guess: int = 0) -> List[int]:
    """Variable output of token ids."""
    buffer, count = read_array(ctypes.c_int32, call, guess)
    return list(buffer[:count])


def read_text(call: Callable[[Any, int, Any], int], guess: int = 0) -> str:
    """Variable output of text."""
    buffer, count = read_array(ctypes.c_char, call, guess)
    return ctypes.string_at(buffer, count).decode("utf-8", "replace")


def as_array(buffer: Any, count: int) -> Any:
    """A copy as a NumPy array, or as a memoryview where NumPy is not installed."""
    try:
        import numpy
    except ImportError:
        kind: Any = memoryview(buffer).format.lstrip("<")
        return memoryview(bytearray(memoryview(buffer).cast("B"))).cast(kind)[:count]
    return numpy.frombuffer(buffer, dtype=numpy.dtype(buffer._type_), count=count).copy()


def as_dict(told: Any) -> Dict[str, Any]:
    """A struct's fields by name, texts as str."""
    fields = {name: getattr(told, name) for name, _ in told._fields_ if name not in ("struct_size", "reserved")}
    return {name: each.decode("utf-8", "replace") if isinstance(each, bytes) else each for name, each in fields.items()}


def _give_back(release: str, address: Any) -> None:
    value, address.value = address.value, None
    if value:
        getattr(library, release)(value)


class Handle:
    """Owns one reference to an object of the library; usable with `with`. Every use after close() raises
    Error("invalid_argument")."""

    _release = ""

    def __init__(self) -> None:
        self._address = ctypes.c_void_p()
        # no __del__: for a closed object, no Python code runs in which a signal's exception could be lost
        self._finalizer = weakref.finalize(self, _give_back, self._release, self._address)

    @property
    def _handle(self) -> Any:
        if not self._address:
            raise Error("invalid_argument", f"this {type(self).__name__} is closed")
        return self._address

    def close(self) -> None:
        """Gives the reference back, on any thread. A call under way on another thread ends first. A second close does
        nothing."""
        _give_back(self._release, self._address)
        self._finalizer.detach()

    def __enter__(self: H) -> H:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
