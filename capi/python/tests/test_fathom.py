"""The package as its users have it: built as a wheel, installed, imported.

test_fathom.py LAYOUT MODEL      MODEL: a folder with a small mixture-of-experts model and a byte tokenizer (text_model.py)
"""

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import threading
import unittest

import fathom
from fathom import _abi

LAYOUT, MODEL = sys.argv.pop(1), sys.argv.pop(1)


class Layout(unittest.TestCase):
    def test_structs_lie_as_the_c_compiler_lays_them(self):
        with open(LAYOUT, encoding="utf-8") as lines:
            for line in lines:
                words = line.split()
                if line.startswith("#"):
                    continue
                if not line.startswith(" "):
                    struct = getattr(_abi, words[0])
                    self.assertEqual(ctypes.sizeof(struct), int(words[1]), words[0])
                else:
                    self.assertEqual(getattr(struct, words[0]).offset, int(words[1]), words[0])
                    self.assertEqual(getattr(struct, words[0]).size, int(words[2]), words[0])


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = fathom.Model(MODEL, fathom.Runtime(threads=2, invariant=True))

    def session(self, **wanted):
        return self.model.session(context_length=300, ignore_stop_tokens=True, **wanted)

    def continuation(self, prompt, count):
        with self.session() as session:
            session.append(prompt)
            session.step(count)
            return session.read_tokens()

    def test_model_tells_what_it_is(self):
        info = self.model.info
        self.assertEqual(info["family"], "deepseek_v3")
        self.assertGreater(info["experts"], 0)
        self.assertEqual(len(self.model.fingerprint), 32)
        self.assertEqual(self.model.text("model_type"), "deepseek_v3")
        self.assertIn("hidden_size", self.model.text_keys())
        self.assertGreater(self.model.memory_needs(context_length=100)["cache_bytes"], 0)

    def test_the_recommended_sampling_is_that_of_the_checkpoint(self):
        self.assertEqual(self.model.recommended_sampling["temperature"], 0)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(MODEL, folder, dirs_exist_ok=True)
            with open(os.path.join(folder, "generation_config.json"), "w", encoding="ascii") as out:
                out.write('{"do_sample": true, "temperature": 0.5, "top_k": 20}')
            with fathom.Model(folder, fathom.Runtime(threads=1)) as model:
                told = model.recommended_sampling
                self.assertEqual((told["temperature"], told["top_k"], told["top_p"]), (0.5, 20, 1.0))
                with model.session(context_length=20, **{**told, "seed": 3}) as session:
                    session.append([3, 4])
                    self.assertEqual(session.step(2).new_tokens, 2)

    def test_text_and_tokens(self):
        ids = self.model.encode("Grüße <s>")
        self.assertEqual(self.model.decode(ids), "Grüße <s>")
        self.assertNotIn(0, ids)
        self.assertIn(0, self.model.encode("<s>", parse_special=True))
        self.assertEqual(self.model.find_token("<s>"), 0)
        self.assertEqual(self.model.encode(""), [])

    def test_chat_streams_pieces(self):
        pieces = list(self.model.chat([{"role": "user", "content": "Hello"}], max_new_tokens=12, ignore_stop_tokens=True,
                                      context_length=200))
        self.assertTrue(all(isinstance(piece, str) for piece in pieces))

    def test_fork_rewind_and_sync_keep_the_bits(self):
        prompt = self.model.encode("Once upon a time")
        expected = self.continuation(prompt, 8)
        with self.session() as session:
            session.append(prompt)
            self.assertEqual(session.step(0).prompt_tokens, len(prompt))
            fork = session.fork()
            fork.step(8)
            self.assertEqual(fork.read_tokens(), expected)
            session.step(3)
            session.rewind(len(prompt))
            session.step(8)
            self.assertEqual(session.read_tokens(), expected)
            self.assertEqual(session.sync(prompt + [5, 6]), len(prompt))
            self.assertEqual(session.tokens, prompt + [5, 6])

    def test_saved_states_go_on(self):
        prompt = self.model.encode("A saved state")
        with self.session() as session, self.session() as other:
            session.append(prompt)
            session.step(4)
            state = session.save()
            other.restore(state)
            session.step(5)
            other.step(5)
            self.assertEqual(other.read_tokens(), session.read_tokens())
            with self.assertRaises(fathom.Error) as caught:
                other.restore(state[:-1] + bytes([state[-1] ^ 1]))
            self.assertEqual(caught.exception.status, "corrupt_file")

    def test_logits_probabilities_and_routes(self):
        with self.session(top_logprobs=3, trace_routes=True, count_routes=True) as session:
            session.append(self.model.encode("experts"))
            session.step(4)
            logits = session.logits()
            self.assertEqual(len(logits), self.model.info["vocab_size"])
            groups = session.read_logprobs()
            self.assertEqual([len(group) for group in groups], [4] * 4)
            self.assertEqual(groups[0][0][0], groups[0][1][0])  # greedy: the token is the likeliest
            routes = session.read_routes()
            self.assertTrue(routes)
            layer = routes[0].layer
            counts, gates = session.route_totals(layer)
            self.assertEqual(sum(counts), sum(route.layer == layer for route in routes))
            self.assertEqual(len(gates), self.model.info["experts"])

    def test_arrays_are_numpy_where_it_is_installed(self):
        with self.session() as session:
            session.append([3, 4])
            session.step(0)
            try:
                import numpy
                self.assertIsInstance(session.logits(), numpy.ndarray)
            except ImportError:
                self.assertIsInstance(session.logits(), memoryview)

    def test_batches_say_what_sessions_say(self):
        prompts = [self.model.encode(text) for text in ("one", "another one", "a third that is longer than the others")]
        with fathom.Batch(self.model, rows=16, sessions=4) as batch:
            sessions = [self.session() for _ in prompts]
            for session, prompt in zip(sessions, prompts):
                session.append(prompt)
                batch.add(session)
            while any(len(session.tokens) < len(prompt) + 6 for session, prompt in zip(sessions, prompts)):
                batch.step()
            for session, prompt in zip(sessions, prompts):
                self.assertEqual(session.read_tokens()[:6], self.continuation(prompt, 6))
            batch.remove(sessions[0])
            with self.assertRaises(fathom.Error):
                batch.result(sessions[0])

    def test_errors_have_a_status_and_a_sentence(self):
        with self.assertRaises(fathom.Error) as caught:
            fathom.Model("/no/such/model")
        self.assertEqual(caught.exception.status, "not_found")
        self.assertIn("/no/such/model", str(caught.exception))
        with self.assertRaises(fathom.Error):
            self.session(cache="f64")
        session = self.session()
        with self.assertRaises(fathom.Error) as caught:
            session.append([10**6])
        self.assertEqual(caught.exception.status, "invalid_argument")
        session.close()
        session.close()
        with self.assertRaises(fathom.Error):
            session.step()

    def test_progress_may_stop_and_raise(self):
        with self.assertRaises(fathom.Error) as caught:
            fathom.Model(MODEL, progress=lambda done, what: False)
        self.assertEqual(caught.exception.status, "cancelled")

        def fail(done, what):
            raise KeyError("from progress")
        with self.assertRaises(KeyError):
            fathom.Model(MODEL, progress=fail)

    def test_models_open_from_memory(self):
        files = {}
        for name in os.listdir(MODEL):
            with open(os.path.join(MODEL, name), "rb") as file:
                files[name] = file.read()
        with fathom.Model.from_memory(files) as model:
            self.assertEqual(model.fingerprint, self.model.fingerprint)
        with self.assertRaises(fathom.Error):
            fathom.Model.from_memory({})

    def test_log_lines_arrive(self):
        lines = []
        with fathom.Runtime(threads=1, log=lambda level, message: lines.append(message)) as runtime:
            self.assertEqual(runtime.info["threads"], 1)
            fathom.Model(MODEL, runtime).close()
        self.assertTrue(any("deepseek_v3" in line for line in lines))

    def test_cancel_from_another_thread(self):
        with self.session() as session:
            session.append([3])
            timer = threading.Timer(0.05, session.cancel)
            timer.start()
            stops = set()
            while not stops & {"cancelled"}:
                stops.add(session.step(1).stop)
                if len(session.tokens) > 290:
                    session.reset()
                    session.append([3])
            timer.join()

    def test_ctrl_c_stops_and_leaves_the_session_whole(self):
        with self.session() as session:
            session.append([3])
            timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                while True:
                    session.step(1)
                    if len(session.tokens) > 290:
                        session.reset()
                        session.append([3])
            timer.join()
            session.reset()
            prompt = self.model.encode("and on")
            session.append(prompt)
            session.step(5)
            self.assertEqual(session.read_tokens(), self.continuation(prompt, 5))


if __name__ == "__main__":
    unittest.main()
