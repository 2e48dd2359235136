"""How generations end, what they took, and the members of batches.

test_generation.py LAYOUT MODEL      as test_fathom.py
"""

import gc
import sys
import unittest

import fathom

MODEL = sys.argv[2]
del sys.argv[1:3]
HELLO = [{"role": "user", "content": "Hello"}]


class Generations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = fathom.Model(MODEL, fathom.Runtime(threads=2, invariant=True))

    def session(self, **wanted):
        return self.model.session(**{"context_length": 300, "ignore_stop_tokens": True, **wanted})

    def test_chat_tells_how_it_ended_and_what_it_took(self):
        answer = self.model.chat(HELLO, max_new_tokens=12, ignore_stop_tokens=True, context_length=200)
        self.assertEqual((answer.finish_reason, answer.usage.new_tokens), ("", 0))
        self.assertTrue(all(answer), "no piece is empty")
        self.assertEqual(answer.finish_reason, "max_new_tokens")
        self.assertEqual(answer.usage, fathom.Usage(len(self.model.encode_chat(HELLO)), 12))
        self.assertGreater(answer.timings.first_token_us, 0)
        self.assertGreater(answer.timings.further_tokens_us, 0)
        with self.assertRaises(StopIteration):
            next(answer)

    def test_generate_tells_each_reason(self):
        with self.session(context_length=20) as session:
            session.append([3] * 10)
            generation = session.generate()
            list(generation)
            self.assertEqual((generation.finish_reason, generation.usage.new_tokens), ("context_full", 10))
        with self.session() as session:
            session.append([3])
            text = "".join(session.generate(30))
            session.reset()
            session.append([3])
            session.set_stop(text[4:6], ignore_stop_tokens=True)
            generation = session.generate(30)
            self.assertEqual("".join(generation), text[:text.index(text[4:6])])
            self.assertEqual(generation.finish_reason, "stop_string")
            session.set_stop(stop_tokens=range(self.model.info["vocab_size"]))
            session.append([3])
            generation = session.generate()
            list(generation)
            self.assertEqual((generation.finish_reason, generation.usage), ("stop_token", fathom.Usage(1, 1)))
            session.append([3])
            session.cancel()
            generation = session.generate()
            list(generation)
            self.assertEqual(generation.finish_reason, "cancelled")

    def test_errors_of_a_chat_come_at_the_call(self):
        with self.assertRaises(fathom.Error) as caught:
            self.model.chat(HELLO, context_length=3)
        self.assertEqual(caught.exception.status, "context_full")
        with self.assertRaises(fathom.Error):
            self.model.chat(HELLO, max_new_tokens=-1)

    def test_a_generation_left_early_gives_its_session_back(self):
        answer = self.model.chat(HELLO, ignore_stop_tokens=True, context_length=200)
        next(answer)
        session = answer._session
        with answer:
            next(answer)
        with self.assertRaises(fathom.Error):
            session.step()
        self.assertEqual(list(answer), [])
        with self.session() as session:
            session.append([3])
            with session.generate() as generation:
                next(generation)
            self.assertEqual(session.step().new_tokens, 1, "a session of one's own stays open")

    def test_slices_change_nothing(self):
        import fathom._batch
        import fathom._session
        prompts = [[3 + i % 200 for i in range(length)] for length in (150, 7, 80)]

        def run(slice_us):
            fathom._session.SLICE_US = fathom._batch.SLICE_US = slice_us
            told = []
            for most in (0, 1, 9):
                with fathom.Batch(self.model, rows=16, sessions=4) as batch:
                    sessions = [self.session() for _ in prompts]
                    for session, prompt in zip(sessions, prompts):
                        session.append(prompt)
                        batch.add(session)
                    total = batch.step(most)
                    results = [batch.result(session) for session in sessions]
                    sums = [total[name] for name in ("new_tokens", "prompt_tokens", "queued_tokens")]
                    texts = [session.read_tokens() for session in sessions]
                    told.append((most, [each[:4] for each in results], sums, texts))
                    self.assertEqual(total["new_tokens"], sum(each.new_tokens for each in results))
                    self.assertLessEqual(max(each.new_tokens for each in results), most)
            with self.session() as session:
                session.append(prompts[0])
                told.append((session.step(0)[:4], session.step(5)[:4], session.read_tokens()))
            return told
        kept = fathom._session.SLICE_US
        try:
            self.assertEqual(run(1), run(10**9))
        finally:
            fathom._session.SLICE_US = fathom._batch.SLICE_US = kept

    def test_budgets_hold_over_slices(self):
        with fathom.Batch(self.model) as batch, self.session() as session:
            batch.add(session)
            session.append([3])
            told = batch.step(max_new_tokens=10**6, budget_us=1000)
            self.assertLess(told["new_tokens"], 290)
            self.assertEqual(batch.step(10**6)["active"], 0, "until the context is full")
            self.assertEqual(batch.result(session).stop, "context_full")

    def test_cancelling_one_member_ends_the_step(self):
        with fathom.Batch(self.model) as batch:
            one, other = self.session(), self.session()
            for session in (one, other):
                session.append([3])
                batch.add(session)
            one.cancel()
            batch.step(max_new_tokens=200)
            self.assertEqual(batch.result(one)[:3], ("cancelled", 0, 0))
            self.assertEqual(batch.result(other).stop, "")

    def test_closed_sessions_leave_their_batch(self):
        batch = fathom.Batch(self.model)
        one, other = self.session(), self.session()
        batch.add(one)
        batch.add(other)
        self.assertEqual(batch.members, [one, other])
        one.close()
        self.assertEqual(batch.members, [other])
        other.append([3])
        self.assertEqual(batch.step()["sessions"], 1)
        with self.assertRaises(fathom.Error):
            batch.result(one)
        batch.remove(other)
        self.assertEqual(batch.members, [])
        with self.assertRaises(fathom.Error):
            batch.remove(other)
        batch.add(other)
        batch.close()
        self.assertEqual(batch.members, [])
        other.step()

    def test_members_outlive_their_names(self):
        with fathom.Batch(self.model) as batch:
            for token in (3, 4):
                session = self.session()
                session.append([token])
                batch.add(session)
            del session
            gc.collect()
            self.assertEqual(batch.step()["new_tokens"], 2)


if __name__ == "__main__":
    unittest.main()
