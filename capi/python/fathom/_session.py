"""Session and Batch."""

from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import _abi
from ._library import Error, Handle, as_array, check, library, options, read_array

SLICE_US = 50_000  # how long a step may keep Ctrl-C waiting
STOPS = {0: "", 1: "stop_token", 2: "stop_string", 3: "context_full", 4: "cancelled"}
CACHES = {"automatic": 0, "f32": 1, "f16": 2, "bf16": 3, "q8_0": 4}


class StepResult(NamedTuple):
    """What a step did. `stop`: "" while there is more to come, else why generation ended."""

    stop: str
    prompt_tokens: int
    new_tokens: int
    queued_tokens: int
    longest_unit_us: float


class Route(NamedTuple):
    """One expert chosen for one token in one layer."""

    position: int
    layer: int
    expert: int
    gate: float


def _sampling(temperature: float = 0.0, top_p: float = 1.0, min_p: float = 0.0, top_k: int = 0, repetition_penalty: float = 1.0,
              frequency_penalty: float = 0.0, presence_penalty: float = 0.0, penalty_window: int = 0, seed: int = 0) -> Any:
    return options(_abi.fathom_sampling_options, temperature=temperature, top_p=top_p, min_p=min_p, top_k=top_k,
                   repetition_penalty=repetition_penalty, frequency_penalty=frequency_penalty,
                   presence_penalty=presence_penalty, penalty_window=penalty_window, seed=seed)


def _stop(stop: Sequence[str] = (), stop_tokens: Sequence[int] = (), ignore_stop_tokens: bool = False) -> Tuple[Any, Any]:
    texts = [each.encode() for each in stop]
    strings = (_abi.fathom_string * max(len(texts), 1))(*[(each, len(each)) for each in texts])
    tokens = (ctypes.c_int32 * max(len(stop_tokens), 1))(*stop_tokens)
    made = options(_abi.fathom_stop_options, ignore_stop_tokens=int(ignore_stop_tokens), tokens=tokens,
                   token_count=len(stop_tokens), strings=strings, string_count=len(texts))
    return made, (texts, strings, tokens)


def session_options(context_length: int = 0, cache: str = "automatic", chunk_rows: int = 0, top_logprobs: int = 0,
                    trace_routes: bool = False, count_routes: bool = False, stop: Sequence[str] = (),
                    stop_tokens: Sequence[int] = (), ignore_stop_tokens: bool = False, **sampling: Any) -> Tuple[Any, Any]:
    """The options struct, and what it points to."""
    if cache not in CACHES:
        raise Error("invalid_argument", f"cache is {cache!r}, expected one of {', '.join(CACHES)}")
    chosen = _sampling(**sampling)
    ends, kept = _stop(stop, stop_tokens, ignore_stop_tokens)
    made = options(_abi.fathom_session_options, context_length=context_length, cache=CACHES[cache], chunk_rows=chunk_rows,
                   top_logprobs=top_logprobs, trace_routes=int(trace_routes), count_routes=int(count_routes),
                   sampling=ctypes.pointer(chosen), stop=ctypes.pointer(ends))
    return made, (chosen, ends, kept)


def make_session(model: Any, **wanted: Any) -> "Session":
    session = Session.__new__(Session)
    Handle.__init__(session)
    session._model = model
    session._top_logprobs = int(wanted.get("top_logprobs", 0))
    given, _kept = session_options(**wanted)
    check(library.fathom_session_create(model._handle, byref(given), byref(session._address)))
    return session


class Session(Handle):
    """One timeline of tokens; made by Model.session(). Options: context_length, cache ("automatic", "f32", "f16", "bf16", "q8_0"),
    chunk_rows, top_logprobs, trace_routes, count_routes; stop (texts), stop_tokens, ignore_stop_tokens; temperature, top_p,
    min_p, top_k, repetition_penalty, frequency_penalty, presence_penalty, penalty_window, seed. One thread at a time."""

    _release = "fathom_session_release"

    def __init__(self) -> None:
        raise TypeError("sessions are made by Model.session()")

    def append(self, tokens: Sequence[int]) -> None:
        """Queues tokens; nothing is computed."""
        check(library.fathom_session_append(self._handle, _ids(tokens), len(tokens)))

    def step(self, max_new_tokens: int = 1, budget_us: int = 0) -> StepResult:
        """Takes in what is queued, then generates; 0 tokens only takes in. Works in slices, so that Ctrl-C is seen between them."""
        total = StepResult("", 0, 0, 0, 0.0)
        left_us = budget_us
        while True:
            slice_us = min(SLICE_US, left_us) if budget_us else SLICE_US
            wanted = max_new_tokens - total.new_tokens
            given = options(_abi.fathom_step_options, budget_us=slice_us,
                            max_new_tokens=wanted if wanted > 0 else _abi.FATHOM_NO_NEW_TOKENS)
            told = options(_abi.fathom_step_result)
            check(library.fathom_session_step(self._handle, byref(given), byref(told)))
            total = StepResult(STOPS[told.stop], total.prompt_tokens + told.prompt_tokens, total.new_tokens + told.new_tokens,
                               told.queued_tokens, max(total.longest_unit_us, told.longest_unit_us))
            left_us -= slice_us
            if total.stop or (budget_us and left_us <= 0) or self._is_done(total, max_new_tokens):
                return total

    def _is_done(self, total: StepResult, max_new_tokens: int) -> bool:
        if total.new_tokens < max_new_tokens:
            return False
        # with nothing to generate, the logits tell that all is taken in
        return max_new_tokens > 0 or (total.queued_tokens == 0 and self._has_logits())

    def _has_logits(self) -> bool:
        row, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        return library.fathom_session_logits(self._handle, byref(row), byref(count)) == _abi.FATHOM_OK

    def generate(self, max_new_tokens: int = 0) -> Iterator[str]:
        """The text to come, piece by piece, until generation ends or there are `max_new_tokens` (0: no limit)."""
        made = 0
        while True:
            result = self.step()
            made += result.new_tokens
            piece = self.read_text()
            if piece:
                yield piece
            if result.stop or (max_new_tokens and made >= max_new_tokens):
                return

    def read_text(self) -> str:
        """What was generated since the last read."""
        buffer, count = read_array(ctypes.c_char, lambda *out: library.fathom_session_read_text(self._handle, *out))
        return buffer.raw[:count].decode("utf-8", "replace")

    def read_tokens(self) -> List[int]:
        buffer, count = read_array(ctypes.c_int32, lambda *out: library.fathom_session_read_tokens(self._handle, *out))
        return list(buffer[:count])

    def read_logprobs(self) -> List[List[Tuple[int, float]]]:
        """For each generated token since the last read: (token, logprob) of itself, then of the likeliest."""
        buffer, count = read_array(_abi.fathom_logprob, lambda *out: library.fathom_session_read_logprobs(self._handle, *out))
        width = 1 + self._top_logprobs
        pairs = [(each.token, each.logprob) for each in buffer[:count]]
        return [pairs[i:i + width] for i in range(0, count, width)]

    def read_routes(self) -> List[Route]:
        """Experts chosen since the last read (with trace_routes)."""
        buffer, count = read_array(_abi.fathom_route, lambda *out: library.fathom_session_read_routes(self._handle, *out))
        return [Route(each.position, each.layer, each.expert, each.gate) for each in buffer[:count]]

    def route_totals(self, layer: int) -> Tuple[Any, Any]:
        """How often each expert of a layer was chosen, and the sum of its gates (with count_routes); arrays."""
        needed = ctypes.c_size_t()
        check(library.fathom_session_route_totals(self._handle, layer, None, None, 0, byref(needed)))
        counts, gates = (ctypes.c_uint64 * max(needed.value, 1))(), (ctypes.c_double * max(needed.value, 1))()
        check(library.fathom_session_route_totals(self._handle, layer, counts, gates, needed.value, byref(needed)))
        return as_array(counts, needed.value), as_array(gates, needed.value)

    @property
    def tokens(self) -> List[int]:
        """The whole timeline, queued tokens included."""
        buffer, count = read_array(ctypes.c_int32, lambda *out: library.fathom_session_tokens(self._handle, *out))
        return list(buffer[:count])

    def logits(self) -> Any:
        """A copy of the logits after the last token taken in, [vocab_size]."""
        row, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        check(library.fathom_session_logits(self._handle, byref(row), byref(count)))
        return as_array((ctypes.c_float * count.value).from_address(ctypes.addressof(row.contents)), count.value)

    def set_sampling(self, **sampling: Any) -> None:
        """temperature, top_p, ...; what is not named gets its default."""
        check(library.fathom_session_set_sampling(self._handle, byref(_sampling(**sampling))))

    def set_stop(self, stop: Sequence[str] = (), stop_tokens: Sequence[int] = (), ignore_stop_tokens: bool = False) -> None:
        made, _kept = _stop(stop, stop_tokens, ignore_stop_tokens)
        check(library.fathom_session_set_stop(self._handle, byref(made)))

    def sync(self, tokens: Sequence[int]) -> int:
        """Makes `tokens` the timeline, keeping the common beginning; says how much was kept."""
        kept = ctypes.c_size_t()
        check(library.fathom_session_sync(self._handle, _ids(tokens), len(tokens), byref(kept)))
        return kept.value

    def rewind(self, length: int) -> None:
        """Keeps the first `length` tokens."""
        if length < 0:
            raise Error("invalid_argument", "length is negative")
        check(library.fathom_session_rewind(self._handle, length))

    def fork(self) -> "Session":
        """A second session that goes on from here; shares the cache so far."""
        forked = Session.__new__(Session)
        Handle.__init__(forked)
        forked._model, forked._top_logprobs = self._model, self._top_logprobs
        check(library.fathom_session_fork(self._handle, byref(forked._address)))
        return forked

    def reset(self) -> None:
        """Forgets everything but the options."""
        check(library.fathom_session_reset(self._handle))

    def cancel(self) -> None:
        """From any thread: a step under way, or else the next one, returns with stop "cancelled"."""
        library.fathom_session_cancel(self._handle)

    def save(self) -> bytes:
        """The state, for restore()."""
        pieces: List[bytes] = []

        def write(_: Any, data: int, size: int) -> int:
            pieces.append(ctypes.string_at(data, size))
            return 0

        check(library.fathom_session_save(self._handle, _abi.fathom_write(write), None))
        return b"".join(pieces)

    def restore(self, state: bytes) -> None:
        """Makes this session what was saved. All or nothing."""
        at = 0

        def read(_: Any, data: int, size: int) -> int:
            nonlocal at
            if size > len(state) - at:
                return 1
            ctypes.memmove(data, state[at:at + size], size)
            at += size
            return 0

        check(library.fathom_session_restore(self._handle, _abi.fathom_read(read), None))


class Batch(Handle):
    """Sessions of one model that step together. One thread at a time."""

    _release = "fathom_batch_release"

    def __init__(self, model: Any, rows: int = 0, sessions: int = 0) -> None:
        super().__init__()
        self._model = model
        self.members: List[Session] = []
        given = options(_abi.fathom_batch_options, rows=rows, sessions=sessions)
        check(library.fathom_batch_create(model._handle, byref(given), byref(self._address)))

    def add(self, session: Session) -> None:
        check(library.fathom_batch_add(self._handle, session._handle))
        self.members.append(session)

    def remove(self, session: Session) -> None:
        check(library.fathom_batch_remove(self._handle, session._handle))
        self.members.remove(session)

    def step(self, max_new_tokens: int = 1, budget_us: int = 0) -> Dict[str, Any]:
        """Works for all members; the fields of fathom_batch_result."""
        given = options(_abi.fathom_step_options, budget_us=budget_us,
                        max_new_tokens=max_new_tokens or _abi.FATHOM_NO_NEW_TOKENS)
        told = options(_abi.fathom_batch_result)
        check(library.fathom_batch_step(self._handle, byref(given), byref(told)))
        return {name: getattr(told, name) for name, _ in told._fields_ if name != "struct_size"}

    def result(self, session: Session) -> StepResult:
        """What the last step did for one member. Raises the Error of its part, if that failed."""
        told = options(_abi.fathom_step_result)
        check(library.fathom_batch_get_result(self._handle, session._handle, byref(told)))
        return StepResult(STOPS[told.stop], told.prompt_tokens, told.new_tokens, told.queued_tokens, told.longest_unit_us)


def _ids(tokens: Sequence[int]) -> Any:
    return (ctypes.c_int32 * max(len(tokens), 1))(*tokens)
