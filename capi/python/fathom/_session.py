"""Session: one timeline of tokens."""

from __future__ import annotations

import ctypes
from ctypes import byref
from typing import TYPE_CHECKING, Any, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _abi
from ._generation import Generation
from ._interrupt import LongCall, maybe_long
from ._library import Error, Handle, as_array, check, integer, library, options, read_array, read_ids, read_text, token_ids
from ._options import sampling_struct, session_struct, stop_struct

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._model import Model
    from ._options import SamplingOptions

SLICE_US = 50_000  # how long a step may keep Ctrl-C waiting
LARGE_BYTES = 1 << 27  # of a session, from which making one may take longer than that
STOPS = {0: "", 1: "stop_token", 2: "stop_string", 3: "context_full", 4: "cancelled"}


class StepResult(NamedTuple):
    """What a step did. `stop`: "" while generation goes on; else "stop_token", "stop_string", "context_full" or "cancelled"."""

    stop: str
    prompt_tokens: int  # queued tokens taken in
    new_tokens: int  # generated
    queued_tokens: int  # still waiting, because the budget ended
    longest_unit_us: float  # the longest piece of work that could not be interrupted


class Route(NamedTuple):
    """One expert chosen for one token in one layer. `gate` is the factor of its output."""

    position: int
    layer: int
    expert: int
    gate: float


def step_limits(max_new_tokens: Any, budget_us: Any) -> Tuple[int, int]:
    """Both as integers that the library accepts."""
    limits = []
    for name, value in (("max_new_tokens", max_new_tokens), ("budget_us", budget_us)):
        limits.append(integer(value, name, ctypes.c_int64))
        if limits[-1] < 0:
            raise Error("invalid_argument", f"{name} is {limits[-1]}, expected 0 or more")
    return limits[0], limits[1]


def step_struct(new_tokens: int, budget_us: int) -> Any:
    return options(_abi.fathom_step_options, budget_us=budget_us,
                   max_new_tokens=new_tokens if new_tokens > 0 else _abi.FATHOM_NO_NEW_TOKENS)


def result_of(told: Any) -> StepResult:
    stop = STOPS.get(told.stop, str(told.stop))
    return StepResult(stop, told.prompt_tokens, told.new_tokens, told.queued_tokens, told.longest_unit_us)


def add(before: StepResult, after: StepResult) -> StepResult:
    """The result of two steps in a row."""
    return StepResult(after.stop, before.prompt_tokens + after.prompt_tokens, before.new_tokens + after.new_tokens,
                      after.queued_tokens, max(before.longest_unit_us, after.longest_unit_us))


NOTHING = StepResult("", 0, 0, 0, 0.0)


def memory_needs(model: "Model", given: Any) -> Any:
    """The struct of what a session with the options `given` would take."""
    needs = options(_abi.fathom_memory_needs)
    check(library.fathom_session_memory_needs(model._handle, byref(given), byref(needs)))
    return needs


class Session(Handle):
    """One timeline of tokens; made by Model.session(), whose options are those of SessionOptions. One thread at a time: a call
    that finds the session in use raises Error("wrong_state"). cancel() works from any thread. Use after close() raises
    Error("invalid_argument")."""

    _release = "fathom_session_release"
    _model: "Model"
    _top_logprobs: int
    _is_large: bool  # clearing its memory takes longer than Ctrl-C should wait

    def __init__(self) -> None:
        raise TypeError("sessions are made by Model.session()")

    @classmethod
    def _make(cls, model: "Model", **wanted: Any) -> "Session":
        given, kept = session_struct(**wanted)
        session = cls._blank(model, given.top_logprobs)
        needs = memory_needs(model, given)
        session._is_large = needs.cache_bytes + needs.scratch_bytes >= LARGE_BYTES
        handle = model._handle

        def create() -> Any:
            check(library.fathom_session_create(handle, byref(given), byref(session._address)))
            return kept  # needed until here
        maybe_long(session._is_large, create)
        return session

    @classmethod
    def _blank(cls, model: "Model", top_logprobs: int) -> "Session":
        session = cls.__new__(cls)
        Handle.__init__(session)
        session._model = model  # with the model's runtime, whose log hook must live as long
        session._top_logprobs = top_logprobs
        session._is_large = False
        return session

    def append(self, tokens: Iterable[int]) -> None:
        """Queues tokens behind the timeline; nothing is computed. Ends a stop. Error("invalid_argument") for an id outside the
        vocabulary, Error("context_full") when the tokens do not fit; then none is queued."""
        ids, count = token_ids(tokens)
        check(library.fathom_session_append(self._handle, ids, count))

    def step(self, max_new_tokens: int = 1, budget_us: int = 0) -> StepResult:
        """Takes in all queued tokens, then generates up to `max_new_tokens`. 0 takes in only. `budget_us`: return after about
        so many microseconds; 0: no limit. The next step resumes where a budget or Ctrl-C ended this one. Works in slices of 50
        ms, so that Ctrl-C is seen. Error("wrong_state") when there is nothing to go on from."""
        most, budget = step_limits(max_new_tokens, budget_us)
        total, left_us = NOTHING, budget
        while True:
            slice_us = min(SLICE_US, left_us) if budget else SLICE_US
            told = options(_abi.fathom_step_result)
            check(library.fathom_session_step(self._handle, byref(step_struct(most - total.new_tokens, slice_us)), byref(told)))
            total = add(total, result_of(told))
            left_us -= slice_us
            if total.stop or (budget and left_us <= 0) or self._is_done(total, most):
                return total

    def _is_done(self, total: StepResult, max_new_tokens: int) -> bool:
        if total.new_tokens < max_new_tokens:
            return False
        # with nothing to generate, the logits tell that all is taken in
        return max_new_tokens > 0 or (total.queued_tokens == 0 and self._has_logits())

    def _has_logits(self) -> bool:
        row, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        status: int = library.fathom_session_logits(self._handle, byref(row), byref(count))
        return status == _abi.FATHOM_OK

    def generate(self, max_new_tokens: int = 0) -> Generation:
        """The text to come, piece by piece, until generation ends or there are `max_new_tokens` (0: no limit). The iterator
        also has the finish reason, the usage and the timings."""
        return Generation(self, max_new_tokens, owns_session=False)

    def read_text(self) -> str:
        """Text generated since the last read: whole characters, without stop tokens and stop strings."""
        return read_text(lambda *out: library.fathom_session_read_text(self._handle, *out))

    def read_tokens(self) -> List[int]:
        """Tokens generated since the last read."""
        return read_ids(lambda *out: library.fathom_session_read_tokens(self._handle, *out))

    def read_logprobs(self) -> List[List[Tuple[int, float]]]:
        """For each token generated since the last read: (token, logprob) of the token itself, then of the likeliest ones. The
        logprobs are natural logarithms, before penalties and filters. Error("wrong_state") without top_logprobs."""
        buffer, count = read_array(_abi.fathom_logprob, lambda *out: library.fathom_session_read_logprobs(self._handle, *out))
        width = 1 + self._top_logprobs
        pairs = [(each.token, each.logprob) for each in buffer[:count]]
        return [pairs[i:i + width] for i in range(0, count, width)]

    def read_routes(self) -> List[Route]:
        """Experts chosen since the last read. Error("wrong_state") without trace_routes."""
        buffer, count = read_array(_abi.fathom_route, lambda *out: library.fathom_session_read_routes(self._handle, *out))
        return [Route(each.position, each.layer, each.expert, each.gate) for each in buffer[:count]]

    def route_totals(self, layer: int) -> Tuple[Any, Any]:
        """How often each expert of a layer was chosen, and the sum of its gates, [experts] each, as arrays. Both are empty for
        a dense layer. Error("wrong_state") without count_routes."""
        index, needed = integer(layer, "layer", ctypes.c_int32), ctypes.c_size_t()
        check(library.fathom_session_route_totals(self._handle, index, None, None, 0, byref(needed)))
        counts, gates = (ctypes.c_uint64 * max(needed.value, 1))(), (ctypes.c_double * max(needed.value, 1))()
        check(library.fathom_session_route_totals(self._handle, index, counts, gates, needed.value, byref(needed)))
        return as_array(counts, needed.value), as_array(gates, needed.value)

    @property
    def tokens(self) -> List[int]:
        """The whole timeline: appended and generated tokens, queued ones included."""
        return read_ids(lambda *out: library.fathom_session_tokens(self._handle, *out))

    def logits(self) -> Any:
        """A copy of the logits after the last token taken in, [vocab_size] float32. Error("wrong_state") while there are
        none."""
        row, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        check(library.fathom_session_logits(self._handle, byref(row), byref(count)))
        return as_array((ctypes.c_float * count.value).from_address(ctypes.addressof(row.contents)), count.value)

    def set_sampling(self, **sampling: "Unpack[SamplingOptions]") -> None:
        """Sets all sampling options; an option that is not named gets its default. The random sequence restarts at the seed."""
        check(library.fathom_session_set_sampling(self._handle, byref(sampling_struct(**sampling))))

    def set_stop(self, stop: Optional[Union[str, Sequence[str]]] = (), stop_tokens: Sequence[int] = (),
                 ignore_stop_tokens: bool = False) -> None:
        """Sets all stop options; an option that is not named gets its default. A plain str is one stop string."""
        made, _kept = stop_struct(stop, stop_tokens, ignore_stop_tokens)
        check(library.fathom_session_set_stop(self._handle, byref(made)))

    def sync(self, tokens: Iterable[int]) -> int:
        """Makes `tokens` the timeline: the beginning it shares with the present one is kept, the rest is queued. Returns how
        many tokens were kept. Errors as append()."""
        ids, count = token_ids(tokens)
        kept = ctypes.c_size_t()
        check(library.fathom_session_sync(self._handle, ids, count, byref(kept)))
        return kept.value

    def rewind(self, length: int) -> None:
        """Keeps the first `length` tokens, 0 to len(tokens), and forgets the rest and all unread output."""
        check(library.fathom_session_rewind(self._handle, integer(length, "length", ctypes.c_size_t)))

    def fork(self) -> "Session":
        """A second session with the same options that goes on from here. It shares the cache so far."""
        forked, handle = self._blank(self._model, self._top_logprobs), self._handle
        forked._is_large = self._is_large
        maybe_long(self._is_large, lambda: check(library.fathom_session_fork(handle, byref(forked._address))))
        return forked

    def reset(self) -> None:
        """Forgets everything but the options, unread output included."""
        check(library.fathom_session_reset(self._handle))

    def cancel(self) -> None:
        """From any thread: a step under way, or else the next one, returns with stop "cancelled". Does nothing after
        close()."""
        library.fathom_session_cancel(self._address)

    def save(self) -> bytes:
        """The state as bytes, for restore() of a session of the same model with the same cache format. Ctrl-C ends it.
        MemoryError where there is no room for the bytes."""
        handle, call = self._handle, LongCall(patience_s=None)
        pieces: List[bytes] = []
        raised: List[BaseException] = []

        def write(_: Any, data: int, size: int) -> int:
            try:
                pieces.append(ctypes.string_at(data, size))
            except MemoryError as error:
                raised[:] = [error]
                return 1
            return int(call.stopped)

        def save() -> None:
            status = library.fathom_session_save(handle, hook, None)
            if raised:
                raise raised.pop()
            check(status)

        hook = _abi.fathom_write(write)
        call.run(save)
        return b"".join(pieces)

    def restore(self, state: Union[bytes, bytearray, memoryview]) -> None:
        """Makes this session the saved one; it goes on with the same bits. All or nothing, also on Ctrl-C.
        Error("corrupt_file") for bytes that are no state, a damaged one or one that ends too early; Error("invalid_argument")
        for another model's or another cache format; Error("context_full") for a longer one than fits."""
        handle, source, at, call = self._handle, memoryview(state).cast("B"), 0, LongCall(patience_s=None)
        missing = 0

        def read(_: Any, data: int, size: int) -> int:
            nonlocal at, missing
            missing = max(at + size - len(source), 0)
            if missing or call.stopped:
                return 1
            memoryview((ctypes.c_char * size).from_address(data)).cast("B")[:] = source[at:at + size]
            at += size
            return 0

        def restore() -> None:
            status = library.fathom_session_restore(handle, hook, None)
            if status == _abi.FATHOM_CALLBACK_FAILED and missing:
                raise Error("corrupt_file", f"the saved state ends too early: it has {len(source)} bytes and at least "
                                            f"{missing} more are needed")
            check(status)

        hook = _abi.fathom_read(read)
        call.run(restore)
