"""Runtime and Model."""

from __future__ import annotations

import ctypes
import os
from ctypes import byref
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _abi
from ._generation import Generation
from ._interrupt import LongCall, Stopped, maybe_long
from ._library import (Error, Handle, as_dict, check, file_path, library, options, read_ids, read_text, token_ids,
                       utf8)
from ._options import session_struct
from ._session import Session, memory_needs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import SessionOptions

LONG_TEXT = 1 << 18  # bytes, or tokens, from which a call may take longer than Ctrl-C should wait
Message = Mapping[str, str]


class Runtime(Handle):
    """Threads, instruction set and log. May be used from any number of threads.

    threads: of the pool, the calling one included; 0: one for each core the process may use.
    isa_limit: "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16" or "amx_int8"; "": the best of this CPU.
    invariant: results then do not depend on prompt chunks and batch mates either; slower on long prompts.
    log(level, message): called from any thread; levels are 0 (debug) to 3 (error). What it raises goes to sys.unraisablehook.
    streams: how weights are prefetched, "builtin" or the text of a model's info; "": timed when a model is opened.
    """

    _release = "fathom_runtime_release"

    def __init__(self, threads: int = 0, isa_limit: str = "", invariant: bool = False,
                 log: Optional[Callable[[int, str], object]] = None, streams: str = "") -> None:
        super().__init__()
        limit, prefetch = utf8(isa_limit, "isa_limit"), utf8(streams, "streams")
        wanted = options(_abi.fathom_runtime_options, threads=threads, isa_limit=limit, isa_limit_size=len(limit),
                         invariant=bool(invariant), streams=prefetch, streams_size=len(prefetch))
        if log is not None:
            hear = _callable(log, "log")

            def write(_: Any, level: int, text: int, size: int) -> None:
                hear(level, ctypes.string_at(text, size).decode("utf-8", "replace"))
            fields: Any = _abi.fathom_log_sink._fields_
            self._log = dict(fields)["write"](write)  # lives as long as the runtime may call it
            sink = options(_abi.fathom_log_sink, write=self._log)
            wanted.log = ctypes.pointer(sink)
        check(library.fathom_runtime_create(byref(wanted), byref(self._address)))

    @property
    def info(self) -> Dict[str, Any]:
        """The fields of fathom_runtime_info: threads, isa, resident_bytes, peak_resident_bytes."""
        told = options(_abi.fathom_runtime_info)
        check(library.fathom_runtime_get_info(self._handle, byref(told)))
        return as_dict(told)


class Model(Handle):
    """Weights and tokenizer. Immutable: any number of threads and sessions may use one.

    path: a Hugging Face folder or a .gguf file; of a series, the first.
    runtime: None: one with all defaults.
    progress(done, what): called on this thread with the share done, 0 to 1; False ends the loading with Error("cancelled").
    verify: read every weight once and refuse the checkpoint when one is not a finite number.
    lazy: weights come into memory as they are first used, instead of before this returns.

    Ctrl-C ends the loading. Errors: "not_found", "io_error", "corrupt_file", "unsupported", "out_of_memory", "cancelled".
    """

    _release = "fathom_model_release"

    def __init__(self, path: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"], runtime: Optional[Runtime] = None,
                 progress: Optional[Callable[[float, str], object]] = None, verify: bool = False, lazy: bool = False) -> None:
        super().__init__()
        name = file_path(path)
        self._use(runtime)
        self._open(progress, verify, lazy, lambda given: library.fathom_model_open(
            self._runtime._handle, name, len(name), given, byref(self._address)))

    @classmethod
    def from_memory(cls, files: Mapping[str, Union[bytes, bytearray, memoryview]], runtime: Optional[Runtime] = None,
                    progress: Optional[Callable[[float, str], object]] = None, verify: bool = False) -> "Model":
        """A model from memory: one GGUF file, or the files of a Hugging Face folder by name. The model keeps the bytes without
        a copy; they must not change. The other arguments and the errors are those of Model(). TypeError for content that is
        neither bytes nor a writable buffer."""
        if not isinstance(files, Mapping):
            raise TypeError(f"files is a {type(files).__name__}, expected a mapping from name to bytes")
        model = cls.__new__(cls)
        Handle.__init__(model)
        model._use(runtime)
        table = (_abi.fathom_memory_file * max(len(files), 1))()
        model._kept = [table]  # the library reads the bytes where they lie
        for entry, (name, data) in zip(table, files.items()):
            encoded, (address, size, owner) = utf8(name, "a file's name"), _address_of(data, name)
            entry.name, entry.name_size, entry.data, entry.data_size = encoded, len(encoded), address, size
            model._kept += [encoded, owner]
        model._open(progress, verify, False, lambda given: library.fathom_model_open_memory(
            model._runtime._handle, table, len(files), given, byref(model._address)))
        return model

    _kept: List[Any]

    def _use(self, runtime: Optional[Runtime]) -> None:
        self._owns_runtime = runtime is None
        self._runtime = Runtime() if runtime is None else runtime

    def close(self) -> None:
        """Gives the model back. Its sessions keep the weights until they are closed too."""
        super().close()
        if self._owns_runtime:
            self._runtime.close()

    def _open(self, progress: Optional[Callable[[float, str], object]], verify: bool, lazy: bool,
              call: Callable[[Any], int]) -> None:
        wanted = options(_abi.fathom_model_options, verify=bool(verify), lazy=bool(lazy))
        hear = _callable(progress, "progress") if progress is not None else None
        # an interrupted load ends at its next report; nobody needs to wait for that
        loading = LongCall(patience_s=0.05)
        raised: List[BaseException] = []

        def report(_: Any, done: float, what: int) -> int:
            try:
                if hear is not None and not loading.stopped:
                    text = ctypes.string_at(what).decode("utf-8", "replace")
                    if loading.ask(lambda: hear(done, text)) is False:
                        return 1
                return int(loading.stopped)
            except Stopped:
                return 1
            except BaseException as error:  # carried over the C frames and raised behind them
                raised[:] = [error]
                return 1

        def load() -> None:
            status = call(byref(wanted))
            if raised:
                raise raised.pop()  # out of the list: its traceback has this frame
            check(status)

        wanted.progress = _abi.fathom_progress(report)
        loading.run(load)

    @property
    def info(self) -> Dict[str, Any]:
        """The fields of fathom_model_info: family, layers, vocab_size, context_length, experts, bos_token, ..."""
        told = options(_abi.fathom_model_info)
        check(library.fathom_model_get_info(self._handle, byref(told)))
        return as_dict(told)

    @property
    def recommended_sampling(self) -> Dict[str, Any]:
        """The sampling that the checkpoint recommends, as arguments of session(); temperature 0 when it recommends none."""
        told = options(_abi.fathom_sampling_options)
        check(library.fathom_model_recommended_sampling(self._handle, byref(told)))
        return as_dict(told)

    @property
    def fingerprint(self) -> bytes:
        """32 bytes, equal for equal checkpoints. An identity, not a proof against forgery."""
        told = (ctypes.c_uint8 * _abi.FATHOM_FINGERPRINT_SIZE)()
        check(library.fathom_model_fingerprint(self._handle, told))
        return bytes(told)

    def text(self, key: str) -> str:
        """The checkpoint's text under a key: GGUF metadata ("general.name"), a path into config.json ("rope_scaling.type"), or
        "chat_template". Error("not_found") where there is none."""
        name = utf8(key, "key")
        return read_text(lambda *out: library.fathom_model_text(self._handle, name, len(name), *out))

    def text_keys(self) -> List[str]:
        """The keys of text()."""
        keys: List[str] = []
        while True:
            try:
                keys.append(read_text(lambda *out: library.fathom_model_text_key(self._handle, len(keys), *out)))
            except Error as error:
                if error.status != "not_found":
                    raise
                return keys

    def encode(self, text: str, parse_special: bool = False, add_special: bool = False) -> List[int]:
        """Token ids of a text. `parse_special`: special tokens written in the text count as such; leave it off for text from
        end users. `add_special`: add the tokens that the checkpoint puts around a text, usually the begin token.
        Error("not_found") for a checkpoint without tokenizer. Ctrl-C ends the wait."""
        data = utf8(text, "text")
        flags = _abi.FATHOM_ENCODE_PARSE_SPECIAL * bool(parse_special) | _abi.FATHOM_ENCODE_ADD_SPECIAL * bool(add_special)
        handle = self._handle
        return maybe_long(len(data) >= LONG_TEXT, lambda: read_ids(
            lambda *out: library.fathom_encode(handle, data, len(data), flags, *out), guess=len(data) // 2 + 16))

    def decode(self, tokens: Iterable[int], keep_special: bool = False) -> str:
        """Text of token ids. `keep_special`: special tokens stay in the text. Error("invalid_argument") for ids outside the
        vocabulary."""
        ids, count = token_ids(tokens)
        flags, handle = _abi.FATHOM_DECODE_KEEP_SPECIAL * bool(keep_special), self._handle
        return maybe_long(count >= LONG_TEXT, lambda: read_text(
            lambda *out: library.fathom_decode(handle, ids, count, flags, *out), guess=8 * count + 16))

    def find_token(self, text: str) -> int:
        """The token whose text this is, special tokens included. Error("not_found") where there is none."""
        data, token = utf8(text, "text"), ctypes.c_int32()
        check(library.fathom_find_token(self._handle, data, len(data), byref(token)))
        return token.value

    def encode_chat(self, messages: Iterable[Message], thinking: bool = False, format: str = "",
                    generation_prompt: bool = True) -> List[int]:
        """Token ids of a conversation, [{"role": ..., "content": ...}, ...], in the model's own format. Roles are "system",
        "user" and "assistant". A control token written in a content stays characters. `thinking`: let the answer begin with
        reasoning, where the model has the choice. `format`: a built-in format's name; "": the checkpoint's own.
        `generation_prompt`: end where the answer begins. TypeError for a message of another shape, Error("unsupported") for one
        with further keys and for a checkpoint whose format is none of the built-in ones."""
        texts = _texts_of(messages)
        table = (_abi.fathom_message * max(len(texts), 1))()
        for entry, (role, content) in zip(table, texts):
            entry.role, entry.role_size, entry.content, entry.content_size = role, len(role), content, len(content)
        name = utf8(format, "format")
        wanted = options(_abi.fathom_chat_options, thinking=bool(thinking), format=name, format_size=len(name),
                         no_generation_prompt=not generation_prompt)
        handle, size = self._handle, sum(len(content) for _, content in texts)
        return maybe_long(size >= LONG_TEXT, lambda: read_ids(
            lambda *out: library.fathom_encode_chat(handle, table, len(texts), byref(wanted), *out), guess=size // 2 + 64))

    def session(self, **options: "Unpack[SessionOptions]") -> Session:
        """A new timeline. The options are the keys of SessionOptions. All memory is taken here; Ctrl-C ends the wait for it."""
        return Session._make(self, **options)

    def chat(self, messages: Iterable[Message], max_new_tokens: int = 0, thinking: bool = False,
             **options: "Unpack[SessionOptions]") -> Generation:
        """The answer to a conversation, piece by piece, until it ends or there are `max_new_tokens` (0: no limit). Further
        arguments are the keys of SessionOptions. The iterator also has the finish reason, the usage and the timings. Errors as
        encode_chat(), session() and Session.append()."""
        tokens = self.encode_chat(messages, thinking=thinking)
        session = self.session(**options)
        try:
            session.append(tokens)
            return Generation(session, max_new_tokens, owns_session=True)
        except BaseException:
            session.close()
            raise

    def memory_needs(self, **options: "Unpack[SessionOptions]") -> Dict[str, int]:
        """Bytes that a session with these options would take, by purpose: the fields of fathom_memory_needs."""
        given, _kept = session_struct(**options)
        return as_dict(memory_needs(self, given))


def _callable(given: Any, name: str) -> Callable[..., object]:
    if not callable(given):
        raise TypeError(f"{name} is a {type(given).__name__}, expected a function")
    return given  # type: ignore[no-any-return]


def _address_of(data: Any, name: str) -> Tuple[Any, int, Any]:
    """Where a file's bytes lie, how many there are, and what keeps them there."""
    if isinstance(data, bytes):
        return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), data
    try:
        size = memoryview(data).nbytes
        lent = (ctypes.c_char * size).from_buffer(data)
    except (TypeError, ValueError) as error:
        what = f"the content of file {name!r} is a {type(data).__name__}, expected bytes or a writable buffer"
        raise TypeError(what) from error
    return ctypes.cast(lent, ctypes.c_void_p), size, lent


def _texts_of(messages: Any) -> List[Tuple[bytes, bytes]]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise TypeError(f"messages is a {type(messages).__name__}, expected a list of {{'role': ..., 'content': ...}}")
    texts = []
    for at, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise TypeError(f"message {at} is a {type(message).__name__}, expected {{'role': ..., 'content': ...}}")
        for key in ("role", "content"):
            if key not in message:
                raise TypeError(f"message {at} has no {key!r}")
        further = [key for key, value in message.items() if key not in ("role", "content") and value is not None]
        if further:
            raise Error("unsupported", f"message {at} has {further[0]!r}; only 'role' and 'content' are known")
        role = utf8(message["role"], f"the role of message {at}")
        texts.append((role, utf8(message["content"], f"the content of message {at}")))
    return texts
