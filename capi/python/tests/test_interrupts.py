"""Ctrl-C and other signals whose handlers raise: every long call ends, and no exception is lost.

test_interrupts.py LAYOUT MODEL      as test_fathom.py
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import fathom
from fathom._interrupt import LongCall, Stopped

MODEL = sys.argv[2]
del sys.argv[1:3]


class Alarm(Exception):
    pass


def raise_alarm(*_):
    raise Alarm


class Interrupts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = fathom.Model(MODEL, fathom.Runtime(threads=2, invariant=True))

    def setUp(self):
        before = signal.signal(signal.SIGALRM, raise_alarm)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        hook, self.lost = sys.unraisablehook, []
        sys.unraisablehook = self.lost.append
        self.addCleanup(setattr, sys, "unraisablehook", hook)

    def tearDown(self):
        self.assertEqual(self.lost, [], "an exception was dropped on the way")

    def session(self, **wanted):
        return self.model.session(context_length=300, ignore_stop_tokens=True, **wanted)

    def test_a_long_batch_step(self):
        with fathom.Batch(self.model, rows=4, sessions=4) as batch:
            sessions = [self.session(temperature=1.0) for _ in range(4)]
            for session in sessions:
                session.append([3])
                batch.add(session)
            threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            began = time.monotonic()
            with self.assertRaises(KeyboardInterrupt):
                while True:
                    batch.step(10**6)
                    for session in sessions:
                        session.reset()
                        session.append([3])
            self.assertLess(time.monotonic() - began, 2)
            for session in sessions:
                session.sync([3, 4])
            self.assertEqual(batch.step()["new_tokens"], 4, "the batch goes on")

    def test_a_load(self):
        reports = []

        def interrupt(done, what):
            reports.append(threading.current_thread())
            os.kill(os.getpid(), signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            fathom.Model(MODEL, progress=interrupt)
        self.assertEqual(reports, [threading.main_thread()], "progress is called on the thread that loads")
        fathom.Model(MODEL, progress=lambda done, what: None).close()

    def test_loads_on_other_threads_call_back_there(self):
        seen = []

        def load():
            fathom.Model(MODEL, progress=lambda done, what: seen.append(threading.current_thread())).close()
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
        self.assertEqual(set(seen), {thread})

    def test_loads_at_any_moment(self):
        self.interrupt_at_random(lambda: fathom.Model(MODEL).close(), 60)

    def test_saving_and_restoring_at_any_moment(self):
        session = self.session()
        session.append([3 + i for i in range(200)])
        session.step(5)
        tokens, state = session.tokens, session.save()
        self.interrupt_at_random(lambda: session.restore(session.save()), 60)
        self.assertEqual(session.tokens, tokens)
        self.assertEqual(session.save(), state)

    def interrupt_at_random(self, body, rounds):
        """Runs body() with a signal in each round, now in the library, now in Python: body ends with its exception or without
        any, and is whole afterwards."""
        began = time.perf_counter()
        body()
        whole = time.perf_counter() - began
        interrupted = 0
        for round_ in range(rounds):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(whole * (round_ + 0.5) / rounds, 1e-6))
                body()
                time.sleep(2 * whole + 0.01)
            except Alarm:
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertEqual(interrupted, rounds, "a signal's exception was lost")
        body()

    def test_a_huge_text(self):
        text = "Once upon a time. " * 1_000_000
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with self.assertRaises(Alarm):
            self.model.encode(text)
            while True:
                time.sleep(0.01)
        self.assertLess(time.monotonic() - began, 1.0)
        small = "Once upon a time. " * 20_000  # long enough for a thread of its own
        self.assertEqual(self.model.decode(self.model.encode(small)), small)
        self.assertEqual(self.model.encode(small), self.model.encode("Once upon a time. ") * 20_000)

    def test_a_huge_session(self):
        with tempfile.TemporaryDirectory() as folder:
            large = shutil.copytree(MODEL, os.path.join(folder, "large"))
            with open(os.path.join(large, "config.json"), encoding="utf-8") as file:
                config = json.load(file)
            config["max_position_embeddings"] = 1_500_000
            with open(os.path.join(large, "config.json"), "w", encoding="utf-8") as file:
                json.dump(config, file)
            model = fathom.Model(large, fathom.Runtime(threads=1))
            wanted = {"context_length": 1_000_000, "cache": "f32"}
            self.assertGreater(model.memory_needs(**wanted)["cache_bytes"], 500_000_000)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            began = time.monotonic()
            with self.assertRaises(Alarm):
                model.session(**wanted)
                time.sleep(5)
            self.assertLess(time.monotonic() - began, 2)
            with model.session(**wanted) as session, session.fork() as fork:
                fork.append([3])
                self.assertEqual(fork.step().new_tokens, 1)

    def test_a_call_that_never_ends(self):
        call = LongCall(patience_s=0.05)
        release = threading.Event()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        began = time.monotonic()
        with self.assertRaises(Alarm):
            call.run(release.wait)
        self.assertLess(time.monotonic() - began, 1.0)
        self.assertTrue(call.stopped)
        with self.assertRaises(Stopped):
            call.ask(lambda: self.fail("nobody listens any more"))
        release.set()

    def test_long_calls_return_and_raise(self):
        self.assertEqual(LongCall(None).run(lambda: 5), 5)
        with self.assertRaises(KeyError):
            LongCall(None).run(lambda: {}["no"])


if __name__ == "__main__":
    unittest.main()
