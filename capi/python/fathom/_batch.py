"""Batch: sessions that step together."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, List, Optional, Tuple, TypedDict

from . import _abi
from ._library import Error, Handle, check, library, options
from ._session import NOTHING, SLICE_US, Session, StepResult, add, result_of, step_limits, step_struct

if TYPE_CHECKING:
    from ._model import Model


class BatchResult(TypedDict):
    """What a step did for all members together."""

    sessions: int  # members
    active: int  # members with something to go on with
    failed: int  # members whose part failed, see Batch.result()
    prompt_tokens: int  # queued tokens taken in
    new_tokens: int  # generated
    queued_tokens: int  # still waiting
    longest_unit_us: float  # the longest piece of work that could not be interrupted


class _Member:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.result: Optional[StepResult] = None  # of the last step; None: it was added after that
        self.error: Optional[Error] = None


class Batch(Handle):
    """Sessions of one model that step together, so that weights are read once for all of them. One thread at a time. `rows`: at
    most so many tokens go through the model together, 0: 512. `sessions`: at most so many members, 0: 64; no more than rows.
    Error("invalid_argument") for numbers out of range, which the sentence tells."""

    _release = "fathom_batch_release"

    def __init__(self, model: "Model", rows: int = 0, sessions: int = 0) -> None:
        super().__init__()
        self._model = model
        self._joined: List[_Member] = []
        given = options(_abi.fathom_batch_options, rows=rows, sessions=sessions)
        check(library.fathom_batch_create(model._handle, byref(given), byref(self._address)))

    @property
    def members(self) -> List[Session]:
        """The members in the order they were added. A session that is closed is no member any more."""
        return [each.session for each in self._present()]

    def _present(self) -> List[_Member]:
        self._joined = [each for each in self._joined if each.session._address] if self._address else []
        return self._joined

    def add(self, session: Session) -> None:
        """Makes a session a member; the batch keeps it alive. Between steps it stays usable by its own functions.
        Error("invalid_argument") for a session of another model, a member of a batch, and one more than there is room for."""
        if not isinstance(session, Session):
            raise TypeError(f"session is a {type(session).__name__}, expected Session")
        check(library.fathom_batch_add(self._handle, session._handle))
        self._present().append(_Member(session))

    def remove(self, session: Session) -> None:
        """Takes a member out; it goes on by itself. Error("invalid_argument") for a session that is no member."""
        if not isinstance(session, Session):
            raise TypeError(f"session is a {type(session).__name__}, expected Session")
        check(library.fathom_batch_remove(self._handle, session._handle))
        self._joined = [each for each in self._joined if each.session is not session]

    def step(self, max_new_tokens: int = 1, budget_us: int = 0) -> BatchResult:
        """Works for all members in joint passes: first generates one token for each, then takes in prompts. Returns when one
        member has `max_new_tokens` (0: takes in only), when no member has anything left to do, when one was cancelled or
        failed, or after about `budget_us` microseconds (0: no limit). Works in slices of 50 ms, so that Ctrl-C is seen; the
        next step resumes there. One member's failure leaves the others alone: result() raises it."""
        most, budget = step_limits(max_new_tokens, budget_us)
        members, left_us = self._present(), budget
        total = NOTHING
        for each in members:
            each.result, each.error = NOTHING, None
        while True:
            slice_us = min(SLICE_US, left_us) if budget else SLICE_US
            served = max((each.result.new_tokens for each in members if each.result), default=0)
            told = options(_abi.fathom_batch_result)
            check(library.fathom_batch_step(self._handle, byref(step_struct(most - served, slice_us)), byref(told)))
            total = add(total, StepResult("", told.prompt_tokens, told.new_tokens, told.queued_tokens, told.longest_unit_us))
            left_us -= slice_us
            done = self._take_results(members, most)
            if done or told.active == 0 or (budget and left_us <= 0):
                return {"sessions": told.sessions, "active": told.active, "failed": told.failed,
                        "prompt_tokens": total.prompt_tokens, "new_tokens": total.new_tokens,
                        "queued_tokens": total.queued_tokens, "longest_unit_us": total.longest_unit_us}

    def _take_results(self, members: List[_Member], most: int) -> bool:
        """Adds each member's part of the last slice to its result. True when the step is done."""
        done, waiting = False, False
        for each in members:
            before = each.result or NOTHING
            part, each.error = self._part(each.session)
            each.result = add(before, part)
            done = done or each.error is not None or part.stop == "cancelled" or 0 < most <= each.result.new_tokens
            # with nothing to generate, the logits tell that all is taken in
            waiting = waiting or (not part.stop and (part.queued_tokens > 0 or not each.session._has_logits()) and
                                  bool(each.session.tokens))
        return done or (most == 0 and not waiting)

    def _part(self, session: Session) -> Tuple[StepResult, Optional[Error]]:
        told = options(_abi.fathom_step_result)
        try:
            check(library.fathom_batch_get_result(self._handle, session._handle, byref(told)))
        except Error as error:
            return result_of(told), error
        return result_of(told), None

    def result(self, session: Session) -> StepResult:
        """What the last step did for one member. Raises the Error of its part, if that failed, and Error("invalid_argument")
        for a session that is no member."""
        for each in self._present():
            if each.session is session and each.result is not None:
                if each.error is not None:
                    raise each.error
                return each.result
        told, error = self._part(session)
        if error is not None:
            raise error
        return told
