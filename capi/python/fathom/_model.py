"""Runtime and Model."""

from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from . import _abi
from ._library import Error, Handle, check, library, options, read_array
from ._session import Session, make_session


class Runtime(Handle):
    """Threads, instruction set, log. `threads` 0: one for each core; `isa_limit`: "scalar" ... "amx_int8"; `invariant`: bits
    do not depend on chunks and batch mates; `log(level, message)` is called from any thread."""

    _release = "fathom_runtime_release"

    def __init__(self, threads: int = 0, isa_limit: str = "", invariant: bool = False,
                 log: Optional[Callable[[int, str], None]] = None) -> None:
        super().__init__()
        limit = isa_limit.encode()
        wanted = options(_abi.fathom_runtime_options, threads=threads, isa_limit=limit, isa_limit_size=len(limit),
                         invariant=int(invariant))
        if log is not None:
            def write(_: Any, level: int, text: int, size: int) -> None:
                try:
                    log(level, ctypes.string_at(text, size).decode("utf-8", "replace"))
                except Exception:  # a lost line is no reason for anything
                    pass
            self._log = dict(_abi.fathom_log_sink._fields_)["write"](write)  # lives as long as the runtime may call it
            sink = options(_abi.fathom_log_sink, write=self._log)
            wanted.log = ctypes.pointer(sink)
        check(library.fathom_runtime_create(byref(wanted), byref(self._address)))

    @property
    def info(self) -> Dict[str, Any]:
        """threads, isa, resident_bytes, peak_resident_bytes"""
        told = options(_abi.fathom_runtime_info)
        check(library.fathom_runtime_get_info(self._handle, byref(told)))
        return _as_dict(told)


class Model(Handle):
    """Weights and tokenizer of a Hugging Face folder or a .gguf file. Any number of threads may use one."""

    _release = "fathom_model_release"

    def __init__(self, path: str, runtime: Optional[Runtime] = None,
                 progress: Optional[Callable[[float, str], Optional[bool]]] = None, verify: bool = False,
                 lazy: bool = False) -> None:
        """`progress(done, what)` may return False to stop. `verify` reads every weight once and refuses NaN. `lazy` lets weights
        come into memory as they are first used, instead of before this returns."""
        super().__init__()
        self._runtime = runtime or Runtime()
        name = path.encode()
        self._open(progress, verify, lazy,
                   lambda given: library.fathom_model_open(self._runtime._handle, name, len(name), given, byref(self._address)))

    @classmethod
    def from_memory(cls, files: Mapping[str, bytes], runtime: Optional[Runtime] = None, verify: bool = False) -> "Model":
        """One GGUF file, or the files of a Hugging Face folder by name. The bytes are kept, not copied."""
        model = cls.__new__(cls)
        Handle.__init__(model)
        model._runtime = runtime or Runtime()
        model._files = dict(files)
        table = (_abi.fathom_memory_file * max(len(model._files), 1))()
        names = []
        for entry, (name, data) in zip(table, model._files.items()):
            names.append(name.encode())
            entry.name, entry.name_size = names[-1], len(names[-1])
            entry.data = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
            entry.data_size = len(data)
        model._open(None, verify, False, lambda given: library.fathom_model_open_memory(
            model._runtime._handle, table, len(model._files), given, byref(model._address)))
        return model

    def _open(self, progress: Any, verify: bool, lazy: bool, call: Any) -> None:
        wanted = options(_abi.fathom_model_options, verify=int(verify), lazy=int(lazy))
        raised: List[BaseException] = []
        if progress is not None:
            def report(_: Any, done: float, what: int) -> int:
                try:
                    return 1 if progress(done, ctypes.string_at(what).decode()) is False else 0
                except BaseException as error:  # carried over the C frames and raised behind them
                    raised.append(error)
                    return 1
            wanted.progress = _abi.fathom_progress(report)
        status = call(byref(wanted))
        if raised:
            raise raised[0]
        check(status)

    @property
    def info(self) -> Dict[str, Any]:
        """family, layers, vocab_size, context_length, experts, ...: the fields of fathom_model_info."""
        told = options(_abi.fathom_model_info)
        check(library.fathom_model_get_info(self._handle, byref(told)))
        return _as_dict(told)

    @property
    def recommended_sampling(self) -> Dict[str, Any]:
        """The sampling that the checkpoint recommends, as arguments of session(); temperature 0 when it recommends none."""
        told = options(_abi.fathom_sampling_options)
        check(library.fathom_model_recommended_sampling(self._handle, byref(told)))
        return _as_dict(told)

    @property
    def fingerprint(self) -> bytes:
        """32 bytes, equal for equal checkpoints."""
        told = (ctypes.c_uint8 * _abi.FATHOM_FINGERPRINT_SIZE)()
        check(library.fathom_model_fingerprint(self._handle, told))
        return bytes(told)

    def text(self, key: str) -> str:
        """What the checkpoint says under a key. Error("not_found") when it says nothing."""
        name = key.encode()
        return _text(lambda *out: library.fathom_model_text(self._handle, name, len(name), *out))

    def text_keys(self) -> List[str]:
        """The keys of text()."""
        keys: List[str] = []
        while True:
            try:
                keys.append(_text(lambda *out: library.fathom_model_text_key(self._handle, len(keys), *out)))
            except Error as error:
                if error.status != "not_found":
                    raise
                return keys

    def encode(self, text: str, parse_special: bool = False, add_special: bool = False) -> List[int]:
        """Token ids. Leave `parse_special` off for text from end users."""
        data = text.encode()
        flags = _abi.FATHOM_ENCODE_PARSE_SPECIAL * parse_special | _abi.FATHOM_ENCODE_ADD_SPECIAL * add_special
        return _tokens(lambda *out: library.fathom_encode(self._handle, data, len(data), flags, *out))

    def decode(self, tokens: Sequence[int], keep_special: bool = False) -> str:
        given = (ctypes.c_int32 * max(len(tokens), 1))(*tokens)
        flags = _abi.FATHOM_DECODE_KEEP_SPECIAL * keep_special
        return _text(lambda *out: library.fathom_decode(self._handle, given, len(tokens), flags, *out))

    def find_token(self, text: str) -> int:
        """The token that is written so. Error("not_found") when there is none."""
        data, token = text.encode(), ctypes.c_int32()
        check(library.fathom_find_token(self._handle, data, len(data), byref(token)))
        return token.value

    def encode_chat(self, messages: Sequence[Mapping[str, str]], thinking: bool = False, format: str = "",
                    generation_prompt: bool = True) -> List[int]:
        """Token ids of [{"role": ..., "content": ...}, ...] in the model's own format."""
        table = (_abi.fathom_message * max(len(messages), 1))()
        kept = []
        for entry, message in zip(table, messages):
            role, content = message["role"].encode(), message["content"].encode()
            kept += [role, content]
            entry.role, entry.role_size, entry.content, entry.content_size = role, len(role), content, len(content)
        name = format.encode()
        wanted = options(_abi.fathom_chat_options, thinking=int(thinking), format=name, format_size=len(name),
                         no_generation_prompt=int(not generation_prompt))
        return _tokens(lambda *out: library.fathom_encode_chat(self._handle, table, len(messages), byref(wanted), *out))

    def session(self, **wanted: Any) -> Session:
        """A new timeline. See Session for the options."""
        return make_session(self, **wanted)

    def chat(self, messages: Sequence[Mapping[str, str]], max_new_tokens: int = 0, thinking: bool = False,
             **wanted: Any) -> Iterator[str]:
        """The answer, piece by piece. Further arguments are Session's."""
        with self.session(**wanted) as session:
            session.append(self.encode_chat(messages, thinking=thinking))
            yield from session.generate(max_new_tokens)

    def memory_needs(self, **wanted: Any) -> Dict[str, int]:
        """Bytes a session with these options would take, by purpose."""
        from ._session import session_options
        needs = options(_abi.fathom_memory_needs)
        given, _kept = session_options(**wanted)
        check(library.fathom_session_memory_needs(self._handle, byref(given), byref(needs)))
        return _as_dict(needs)


def _as_dict(told: Any) -> Dict[str, Any]:
    fields = {name: getattr(told, name) for name, _ in told._fields_ if name not in ("struct_size", "reserved")}
    return {name: each.decode() if isinstance(each, bytes) else each for name, each in fields.items()}


def _tokens(call: Any) -> List[int]:
    buffer, count = read_array(ctypes.c_int32, call)
    return list(buffer[:count])


def _text(call: Any) -> str:
    buffer, count = read_array(ctypes.c_char, call)
    return buffer.raw[:count].decode("utf-8", "replace")
