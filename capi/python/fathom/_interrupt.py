"""Long calls of the library that Ctrl-C can interrupt.

Python runs signal handlers on the main thread only, between two instructions of Python code. A call into C keeps it from
there. And an exception that a handler raises on entry to a callback has no `try` around it yet, so ctypes would drop it.
Hence a long call runs on a thread of its own while the main thread waits for it.
"""

from __future__ import annotations

import _thread
import atexit
import queue
import signal
import threading
from typing import Any, Callable, Optional, Set, TypeVar

T = TypeVar("T")
LOOK_S = 0.05  # how often the waiting thread looks for signals: one that another thread received does not wake it

# Signals that a worker leaves to the main thread: all but the ones that a thread's own instruction causes.
_ELSEWHERE = signal.valid_signals() - {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
                                       signal.SIGABRT, signal.SIGSYS}
_under_way: Set[Any] = set()  # a lock for each call that has not ended


@atexit.register
def _wait_for_all() -> None:
    """The process must not end while the library works for a call that was interrupted."""
    for lock in list(_under_way):
        lock.acquire()


class Stopped(Exception):
    """Ends a callback of a call that nobody waits for any more."""


class LongCall:
    """One long call. `patience_s`: after an interrupt, how long the caller waits for the call's end; None: until it ends."""

    def __init__(self, patience_s: Optional[float]) -> None:
        self.stopped = False  # read by callbacks, which then end the call
        self._patience_s = -1 if patience_s is None else patience_s
        self._events: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._ended = _thread.allocate_lock()
        self._threaded = False

    def run(self, body: Callable[[], T]) -> T:
        """What body() returns or raises. On the main thread, an exception from a signal handler ends the wait. `body` must
        hold everything that the call uses."""
        if threading.get_ident() != threading.main_thread().ident:
            return body()

        # not a threading.Thread: its bookkeeping runs Python code in which a signal's exception could be lost
        def work() -> None:
            try:
                self._events.put(("returned", body()))
            except BaseException as error:  # raised again by the thread that waits
                if not self.stopped:
                    self._events.put(("raised", error))  # and in no variable: its traceback has this frame
            _under_way.discard(self._ended)
            self._ended.release()

        try:
            if not self._start(work):
                return body()
            return self._wait()  # type: ignore[no-any-return]
        except BaseException:
            self.stopped = True
            if self._threaded:
                self._ended.acquire(timeout=self._patience_s)
            self._events = queue.SimpleQueue()  # drops events that nobody reads
            raise

    # A function of its own: a signal that arrives between two rounds of the loop then raises inside the `try` around the call.
    def _wait(self) -> Any:
        """What the call returns or raises. Answers its questions meanwhile."""
        while True:
            kind, what = self._next_event()
            if kind == "returned":
                return what
            if kind == "raised":
                try:
                    raise what
                finally:
                    del what  # its traceback has this frame
            question, answers = what
            answers.put(question())

    def _next_event(self) -> Any:
        while True:
            try:
                return self._events.get(timeout=LOOK_S)
            except queue.Empty:
                pass

    def _start(self, work: Callable[[], None]) -> bool:
        """False when the interpreter starts no threads any more, because it is shutting down."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, _ELSEWHERE)  # for the worker; and nothing is raised below
            self._ended.acquire()
            _under_way.add(self._ended)
            self._threaded = True
            _thread.start_new_thread(work, ())
        except RuntimeError:
            self._threaded = False
            _under_way.discard(self._ended)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._threaded

    def ask(self, question: Callable[[], T]) -> T:
        """For callbacks: runs question() on the thread that waits for this call, which also gets what it raises."""
        if not self._threaded:
            return question()
        answers: "queue.SimpleQueue[T]" = queue.SimpleQueue()
        self._events.put(("asked", (question, answers)))
        while True:
            try:
                return answers.get(timeout=0.02)
            except queue.Empty:
                if self.stopped:
                    raise Stopped() from None


def maybe_long(is_long: bool, body: Callable[[], T]) -> T:
    """body(), on a thread of its own where it may take long. After an interrupt it runs to its end, and nobody reads the
    result."""
    return LongCall(patience_s=0).run(body) if is_long else body()
