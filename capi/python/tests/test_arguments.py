"""Arguments: texts, paths, numbers, messages. A wrong one is named, and none is taken for something else in silence.

test_arguments.py LAYOUT MODEL      as test_fathom.py
"""

import gc
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest
import unittest.mock

import fathom

MODEL = sys.argv[2]
del sys.argv[1:3]


class Arguments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = fathom.Model(MODEL, fathom.Runtime(threads=1))

    def session(self, **wanted):
        return self.model.session(context_length=300, ignore_stop_tokens=True, **wanted)

    def refuses(self, status, *words):
        return self.Refusal(self, status, words)

    class Refusal:
        """`with`: an Error with this status whose sentence has these words."""

        def __init__(self, test, status, words):
            self.test, self.words, self.status = test, words, status

        def __enter__(self):
            self.caught = self.test.assertRaises(fathom.Error)
            self.context = self.caught.__enter__()

        def __exit__(self, *raised):
            handled = self.caught.__exit__(*raised)
            self.test.assertEqual(self.context.exception.status, self.status)
            for word in self.words:
                self.test.assertIn(word, self.context.exception.message)
            return handled

    def stopped_text(self, session):
        session.append(self.model.encode("Once upon a time"))
        return "".join(session.generate(60))

    def test_a_plain_text_is_one_stop_string(self):
        free = self.stopped_text(self.session(temperature=1.0, seed=5))
        self.assertGreater(len(free), 20)
        for stop in (free[9:12], free[4:9]):
            cut = free[:free.index(stop)]
            self.assertEqual(self.stopped_text(self.session(temperature=1.0, seed=5, stop=stop)), cut)
            self.assertEqual(self.stopped_text(self.session(temperature=1.0, seed=5, stop=[stop])), cut)
            session = self.session(temperature=1.0, seed=5)
            session.set_stop(stop, ignore_stop_tokens=True)
            self.assertEqual(self.stopped_text(session), cut)
        # its letters are in the text, but it is not
        never = free[0] + "\u00e4" + free[1]
        self.assertEqual(self.stopped_text(self.session(temperature=1.0, seed=5, stop=never)), free)

    def test_stops_of_other_types_are_named(self):
        user = {"role": "user", "content": "a"}
        for stop, words in ((b"ab", "stop is a bytes"), (5, "stop is a int"), ([None], r"stop\[0\] is a NoneType"),
                            (["a", 5], r"stop\[1\] is a int"), ([b"a"], r"stop\[0\] is a bytes")):
            for call in (lambda: self.session(stop=stop), lambda: self.session().set_stop(stop),
                         lambda: self.model.chat([user], stop=stop), lambda: self.model.memory_needs(stop=stop)):
                with self.assertRaisesRegex(TypeError, words):
                    call()

    def test_no_stop_string_is_none_or_an_empty_sequence(self):
        for stop in (None, (), []):
            self.assertGreater(len(self.stopped_text(self.session(stop=stop))), 0)
        with self.refuses("invalid_argument", "empty"):
            self.session(stop="")

    def test_paths_are_texts_bytes_and_path_objects(self):
        for path in (MODEL, os.fsencode(MODEL), pathlib.Path(MODEL), os.path.join(MODEL, "")):
            fathom.Model(path).close()
        for path in (None, 5, ["a"]):
            with self.assertRaisesRegex(TypeError, "path|PathLike"):
                fathom.Model(path)
        with self.refuses("not_found", "/no/such/folder"):
            fathom.Model(pathlib.Path("/no/such/folder"))

    def test_names_of_files_are_what_the_file_system_has(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("grün", b"latin-\xfc"):
                place = os.path.join(os.fsencode(folder), os.fsencode(name))
                shutil.copytree(os.fsencode(MODEL), place)
                fathom.Model(place).close()
                fathom.Model(os.fsdecode(place)).close()

    def test_messages_of_another_shape_are_named(self):
        user = {"role": "user", "content": "Hello"}
        for messages, words in (
                ("Hello", "messages is a str"), (user, "messages is a dict"), (None, "messages is a NoneType"),
                ([user, "Hello"], "message 1 is a str"), ([{"role": "user"}], "message 0 has no 'content'"),
                ([{"content": "a"}], "message 0 has no 'role'"),
                ([user, {"role": "user", "content": None}], "content of message 1 is a NoneType"),
                ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], "content of message 0 is a list"),
                ([{"role": None, "content": "a"}], "role of message 0 is a NoneType"),
                ([{"role": "user", "content": b"a"}], "content of message 0 is a bytes")):
            for call in (self.model.encode_chat, self.model.chat):
                with self.assertRaisesRegex(TypeError, words):
                    call(messages)
        with self.refuses("unsupported", "message 1", "tool_calls"):
            self.model.encode_chat([user, {"role": "assistant", "content": "", "tool_calls": [{}]}])
        self.assertEqual(self.model.encode_chat(iter([user])), self.model.encode_chat([{**user, "name": None}]))

    def test_texts_of_other_types_are_named(self):
        for call in (self.model.encode, self.model.find_token, self.model.text):
            for wrong in (None, 5, b"a"):
                with self.assertRaisesRegex(TypeError, f"is a {type(wrong).__name__}, expected str"):
                    call(wrong)
        with self.refuses("invalid_argument", "surrogate", "character 1"):
            self.model.encode("a\ud800")

    def test_tokens_are_integers_that_fit(self):
        session = self.session()
        for call in (session.append, session.sync, self.model.decode, lambda wrong: self.session(stop_tokens=wrong)):
            for wrong in ("abc", b"abc", 5, None):
                with self.assertRaisesRegex(TypeError, "expected a sequence of token ids"):
                    call(wrong)
            with self.assertRaisesRegex(TypeError, r"tokens\[1\] is a float"):
                call([3, 4.0])
            # its low 32 bits are a token of the vocabulary
            with self.refuses("invalid_argument", "[1] is 4294967299"):
                call([3, (1 << 32) + 3])
        session.append(iter([3, 4]))
        session.append(range(5, 7))
        self.assertEqual(session.tokens, [3, 4, 5, 6])

    def test_numbers_are_not_cut_to_their_width(self):
        for name, value in (("context_length", 1 << 64), ("top_k", (1 << 32) + 1), ("seed", -1), ("seed", 1 << 64),
                            ("chunk_rows", 1 << 32), ("top_logprobs", 1 << 40), ("penalty_window", -(1 << 31) - 1)):
            with self.refuses("invalid_argument", f"{name} is {value}"):
                self.session(**{name: value}) if name != "context_length" else self.model.session(**{name: value})
        for name in ("top_k", "context_length", "temperature", "top_logprobs"):
            with self.assertRaisesRegex(TypeError, f"{name} is a str"):
                self.model.session(**{name: "1"})
        with self.refuses("invalid_argument", "threads is 4294967298"):
            fathom.Runtime(threads=(1 << 32) + 2)
        session = self.session()
        for wrong in (-1, 1 << 64):
            with self.refuses("invalid_argument", "length is"):
                session.rewind(wrong)
        for wrong in ({"max_new_tokens": -1}, {"budget_us": -1}, {"max_new_tokens": 1 << 63}):
            for stepped in (session, fathom.Batch(self.model)):
                with self.refuses("invalid_argument", next(iter(wrong))):
                    stepped.step(**wrong)
        with self.refuses("invalid_argument", "max_new_tokens"):
            session.generate(-1)
        with self.refuses("invalid_argument", "bits"):
            self.session(seed=10**6000)

    def test_unknown_options_are_named(self):
        with self.assertRaisesRegex(TypeError, "temprature"):
            self.model.session(temprature=1.0)
        with self.assertRaisesRegex(TypeError, "log is a int"):
            fathom.Runtime(log=5)
        with self.assertRaisesRegex(TypeError, "progress is a int"):
            fathom.Model(MODEL, progress=5)
        with self.assertRaisesRegex(TypeError, "expected Session"):
            fathom.Batch(self.model).add(self.model)

    def test_files_in_memory_are_bytes_or_writable_buffers(self):
        files = {path.name: path.read_bytes() for path in pathlib.Path(MODEL).iterdir()}
        for convert in (bytes, bytearray, lambda data: memoryview(bytearray(data))):
            with fathom.Model.from_memory({name: convert(data) for name, data in files.items()}) as model:
                self.assertEqual(model.fingerprint, self.model.fingerprint)
        for wrong in ("text", None, memoryview(b"read only")):
            with self.assertRaisesRegex(TypeError, "config.json"):
                fathom.Model.from_memory({**files, "config.json": wrong})
        with self.assertRaisesRegex(TypeError, "files is a list"):
            fathom.Model.from_memory([files])

    def test_states_end_where_they_end(self):
        session = self.session()
        session.append(self.model.encode("Once upon a time"))
        session.step(3)
        state = session.save()
        for length in (0, 1, 7, 8, 100, len(state) // 2, len(state) - 1):
            with self.refuses("corrupt_file", "ends too early", f"has {length} bytes"):
                session.restore(state[:length])
        for convert in (bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data)).cast("b")):
            session.restore(convert(state))
        with self.assertRaises(TypeError):
            session.restore("text")
        with self.refuses("corrupt_file", "no saved session"):
            session.restore(bytes(len(state)))
        self.assertEqual(session.step(2).new_tokens, 2)

    def test_a_save_that_meets_no_memory_says_so(self):
        session = self.session()
        session.append([3])
        session.step()
        with unittest.mock.patch("fathom._session.ctypes.string_at", side_effect=MemoryError("no room")):
            with self.assertRaisesRegex(MemoryError, "no room"):
                session.save()
        self.assertGreater(len(session.save()), 0)

    def test_what_log_raises_is_told(self):
        told, hook = [], sys.unraisablehook

        def log(level, message):
            raise ValueError("from log")
        sys.unraisablehook = lambda unraisable: told.append(str(unraisable.exc_value))
        try:
            fathom.Model(MODEL, fathom.Runtime(threads=1, log=log)).close()
        finally:
            sys.unraisablehook = hook
        self.assertIn("from log", told)

    def test_objects_that_were_not_made_leave_nothing_behind(self):
        def fail(done, what):
            raise KeyError
        before = len(os.listdir("/proc/self/task"))
        gc.disable()  # nothing waits for the garbage collector
        self.addCleanup(gc.enable)
        for _ in range(5):
            for fails in (lambda: fathom.Model(MODEL, fathom.Runtime(threads=3), progress=lambda done, what: False),
                          lambda: fathom.Model(MODEL, fathom.Runtime(threads=3), progress=fail),
                          lambda: fathom.Model("/no/such/model", fathom.Runtime(threads=3)),
                          lambda: fathom.Model.from_memory({"config.json": b"{"}, fathom.Runtime(threads=3))):
                try:
                    fails()
                    self.fail("nothing was raised")
                except (fathom.Error, KeyError):
                    pass
        deadline = time.monotonic() + 10
        while len(os.listdir("/proc/self/task")) > before and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(len(os.listdir("/proc/self/task")), before)


if __name__ == "__main__":
    unittest.main()
