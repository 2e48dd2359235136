"""Text as it is generated, and how it ended."""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple

from ._library import Error, integer

if TYPE_CHECKING:
    from ._session import Session


class Usage(NamedTuple):
    """Tokens of one generation."""

    prompt_tokens: int  # taken in during the generation
    new_tokens: int  # generated, stop tokens included


class Timings(NamedTuple):
    """Time that one generation spent in the library, in microseconds. The caller's time between two pieces does not count."""

    first_token_us: float  # until the first token is there, the prompt included
    further_tokens_us: float  # for all tokens behind the first


class Generation(Iterator[str]):
    """Yields text piece by piece: whole characters, no empty pieces. Session.generate() and Model.chat() make it. One thread at
    a time. Works with `for` and with `with`. The attributes are up to date after each piece, and final after the last one."""

    finish_reason: str
    """Why it ended: "stop_token", "stop_string", "context_full", "cancelled", or "max_new_tokens" when all wanted tokens are
    there. "" while it goes on."""
    usage: Usage
    timings: Timings

    def __init__(self, session: "Session", max_new_tokens: int, owns_session: bool) -> None:
        self._most = integer(max_new_tokens, "max_new_tokens", ctypes.c_int64)
        if self._most < 0:
            raise Error("invalid_argument", f"max_new_tokens is {max_new_tokens}, expected 0 or more")
        self.finish_reason = ""
        self.usage = Usage(0, 0)
        self.timings = Timings(0.0, 0.0)
        self._closed = False
        self._session = session
        self._owns_session = owns_session

    def __iter__(self) -> "Generation":
        return self

    def __next__(self) -> str:
        """The next piece. Raises what Session.step() raises."""
        while not self.finish_reason and not self._closed:
            try:
                piece = self._step()
            except BaseException:
                self.close()
                raise
            if self.finish_reason:
                self.close()
            if piece:
                return piece
        raise StopIteration

    def _step(self) -> str:
        began = time.perf_counter()
        result = self._session.step()
        took_us = 1e6 * (time.perf_counter() - began)
        first_us, further_us = self.timings
        if self.usage.new_tokens == 0:
            first_us += took_us
        else:
            further_us += took_us
        self.timings = Timings(first_us, further_us)
        self.usage = Usage(self.usage.prompt_tokens + result.prompt_tokens, self.usage.new_tokens + result.new_tokens)
        self.finish_reason = result.stop
        if not result.stop and self._most and self.usage.new_tokens >= self._most:
            self.finish_reason = "max_new_tokens"
        return self._session.read_text()

    def close(self) -> None:
        """Ends the iteration. The session of Model.chat() is closed; the session of Session.generate() stays as it is."""
        self._closed = True
        if self._owns_session:
            self._session.close()

    def __enter__(self) -> "Generation":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
