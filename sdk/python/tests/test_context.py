import contextlib
import io
import os
import threading
import time
import unittest
from typing import Any, Callable, Dict

import shoal
from shoal.client import Client, Unreachable

from .agent_double import AgentDouble, Answer


def always(reply: Dict[str, Any], status: int = 200) -> Callable[..., Answer]:
    return lambda *_: (status, reply)


class InitTest(unittest.TestCase):
    def test_everything_the_agent_sets_is_read(self) -> None:
        context = shoal.init(
            {
                "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "SHOAL_JOB": "gpt-tiny", "SHOAL_ATTEMPT": "2",
                "SHOAL_MESH": '{"data":2,"tensor":2}', "SHOAL_MESH_DATA": "1", "SHOAL_MESH_TENSOR": "1",
                "SHOAL_RESUME_STEP": "40", "SHOAL_RESUME_PATH": "/c/attempt-1/step-00000040",
                "SHOAL_CHECKPOINT_DIR": "/c/attempt-2", "SHOAL_CHECKPOINT_ROOT": "/c", "SHOAL_CHECKPOINT_KEEP": "3",
                "SHOAL_CHECKPOINT_INTERVAL_S": "1.5",
            }
        )  # fmt: skip
        self.assertEqual((context.rank, context.world_size, context.local_rank, context.job, context.attempt), (3, 4, 1, "gpt-tiny", 2))
        self.assertEqual((context.mesh, context.coordinates), ({"data": 2, "tensor": 2}, {"data": 1, "tensor": 1}))
        self.assertEqual((context.resume_step, context.resume_path), (40, "/c/attempt-1/step-00000040"))
        self.assertEqual((context.checkpoint_dir, context.checkpoint_root, context.keep), ("/c/attempt-2", "/c", 3))
        self.assertEqual(context.checkpoint_interval_s, 1.5)

    def test_a_mesh_may_be_a_list_of_pairs(self) -> None:
        self.assertEqual(list(shoal.init({"SHOAL_MESH": '[["data",2],["tensor",4]]'}).mesh.items()), [("data", 2), ("tensor", 4)])

    def test_outside_shoal_every_call_does_nothing(self) -> None:
        context = shoal.init({})
        self.assertFalse(context.progress(1, loss=2.0))
        self.assertEqual(context.checkpoint(1, "/c"), shoal.CheckpointReply(accepted=False, committed=False))
        self.assertFalse(context.suspend(wait_s=100).requested)
        self.assertEqual(context.describe(), {})
        context.close()

    def test_a_broken_environment_is_named(self) -> None:
        for environ, wanted in (
            ({"RANK": "x"}, "RANK='x'"),
            ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4 does not fit WORLD_SIZE=4"),
            ({"SHOAL_MESH": "data"}, "SHOAL_MESH='data'"),
        ):
            with self.assertRaises(shoal.ShoalError) as caught:
                shoal.init(environ)
            self.assertIn(wanted, str(caught.exception))


class CallTest(unittest.TestCase):
    def agent(self, answer: Callable[..., Answer], path: str = "") -> AgentDouble:
        agent = AgentDouble(answer, path or None)
        self.addCleanup(agent.close)
        return agent

    def context(self, path: str) -> shoal.Context:
        context = shoal.init({"SHOAL_SOCKET": path, "RANK": "2", "WORLD_SIZE": "4"})
        self.addCleanup(context.close)
        return context

    def test_progress_carries_rank_and_numbers_over_one_connection(self) -> None:
        agent = self.agent(always({"stop": False}))
        context = self.context(agent.path)
        self.assertFalse(context.progress(1, loss=2.5, tokens=2048, step_seconds=0.2))
        self.assertFalse(context.progress(2))
        self.assertEqual(
            agent.calls,
            [
                ("POST", "/v1/progress", "2", {"step": 1, "loss": 2.5, "tokens": 2048, "step_seconds": 0.2}),
                ("POST", "/v1/progress", "2", {"step": 2}),
            ],
        )
        self.assertEqual(agent.connections, 1)

    def test_a_stop_step_ahead_is_remembered_until_it_is_reached(self) -> None:
        agent = self.agent(always({"stop": False, "stop_step": 5}))
        context = self.context(agent.path)
        self.assertEqual([context.progress(step) for step in (4, 5)], [False, True])
        self.assertEqual(context.stop_step, 5)

    def test_a_held_call_is_waited_for(self) -> None:
        decided = threading.Event()
        agent = self.agent(lambda *_: (decided.wait(10), (200, {"stop": True, "stop_step": 7}))[1])
        threading.Timer(0.2, decided.set).start()
        self.assertTrue(self.context(agent.path).progress(7))

    def test_a_refusal_is_raised_with_its_reason(self) -> None:
        agent = self.agent(always({"error": {"field": "step", "message": "3 goes back"}}, status=400))
        with self.assertRaisesRegex(shoal.ShoalError, "POST /v1/progress: 400 step: 3 goes back"):
            self.context(agent.path).progress(3)

    def test_a_worker_that_the_agent_does_not_know_any_more_trains_on(self) -> None:
        agent = self.agent(always({"error": {"field": "", "message": "not known"}}, status=410))
        output = io.StringIO()
        with contextlib.redirect_stderr(output):
            self.assertFalse(self.context(agent.path).progress(3))
        self.assertIn("410 not known", output.getvalue())

    def test_a_loss_that_is_not_a_number_is_left_out(self) -> None:
        agent = self.agent(always({"stop": True}))
        self.assertTrue(self.context(agent.path).progress(3, loss=float("nan")))
        self.assertEqual(agent.calls[0][3], {"step": 3})

    def test_a_checkpoint_tells_how_long_it_took_when_it_is_known(self) -> None:
        agent = self.agent(always({"accepted": True, "committed": True}))
        context = self.context(agent.path)
        context.checkpoint(3, "/c", seconds=1.25)
        context.checkpoint(4, "/c")
        told = [body for _, _, _, body in agent.calls]
        self.assertEqual(told, [{"step": 3, "path": "/c", "scope": "rank", "seconds": 1.25}, {"step": 4, "path": "/c", "scope": "rank"}])

    def test_an_agent_that_knows_no_seconds_has_the_checkpoint_all_the_same_and_is_told_none_again(self) -> None:
        def answer(_method: str, _path: str, _rank: str, body: Dict[str, Any]) -> Answer:
            if "seconds" in body:
                return 400, {"error": {"field": "seconds", "message": "unknown field; known are step, path, scope"}}
            return 200, {"accepted": True, "committed": True}

        agent = self.agent(answer)
        context = self.context(agent.path)
        self.assertTrue(context.checkpoint(3, "/c", seconds=1).committed)
        self.assertTrue(context.checkpoint(4, "/c", seconds=1).committed)
        self.assertEqual(["seconds" in body for _, _, _, body in agent.calls], [True, False, False])

    def test_a_missing_agent_does_not_stop_training_and_warns_once(self) -> None:
        context = self.context("/nowhere/socket")
        output = io.StringIO()
        with contextlib.redirect_stderr(output):
            started_at = time.monotonic()
            self.assertEqual([context.progress(1), context.progress(2)], [False, False])
            self.assertFalse(context.checkpoint(2, "/c").accepted)
        self.assertLess(time.monotonic() - started_at, 1)
        self.assertEqual(output.getvalue().count("training goes on"), 1)

    def test_an_agent_that_died_between_calls_costs_no_time_and_its_successor_is_found(self) -> None:
        agent = self.agent(always({"stop": False}))
        context = self.context(agent.path)
        context.progress(1)
        agent.kill()
        started_at = time.monotonic()
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertFalse(context.progress(2))
        self.assertLess(time.monotonic() - started_at, 1)
        os.remove(agent.path)
        successor = self.agent(always({"stop": True}), agent.path)
        self.assertTrue(context.progress(3))
        self.assertEqual([call[3]["step"] for call in successor.calls], [3])

    def test_a_call_that_broke_while_held_is_repeated_to_the_next_agent(self) -> None:
        arrived, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)
        agent = self.agent(lambda *_: (arrived.set(), release.wait(20), (200, {}))[2])
        context = self.context(agent.path)
        answers = []
        caller = threading.Thread(target=lambda: answers.append(context.progress(9)))
        caller.start()
        self.assertTrue(arrived.wait(10))
        agent.kill()
        os.remove(agent.path)
        successor = self.agent(always({"stop": True, "stop_step": 9}), agent.path)
        caller.join(10)
        self.assertEqual(answers, [True])
        self.assertEqual(len(successor.calls), 1)

    def test_repeating_ends_when_no_agent_comes_back(self) -> None:
        arrived, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)
        agent = self.agent(lambda *_: (arrived.set(), release.wait(20), (200, {}))[2])
        client = Client(agent.path, rank=0, repeat_for_s=0.3)
        self.addCleanup(client.close)
        failures = []

        def call() -> None:
            try:
                client.post("/v1/progress", {"step": 1})
            except Unreachable as error:
                failures.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        self.assertTrue(arrived.wait(10))
        agent.kill()
        caller.join(10)
        self.assertEqual(len(failures), 1)

    def test_suspend_polls_beside_progress(self) -> None:
        wanted = {"requested": True, "round": 4, "grace_ms": 30000, "stop_step": 12, "decided": True}
        agent = self.agent(lambda method, path, *_: (200, wanted if path.startswith("/v1/suspend") else {"stop": False}))
        context = self.context(agent.path)
        context.progress(1)
        self.assertEqual(context.suspend(wait_s=5), shoal.SuspendReply(requested=True, grace_ms=30000, stop_step=12, decided=True))
        context.suspend(wait_s=5)
        self.assertEqual([call[1] for call in agent.calls[1:]], ["/v1/suspend?wait_s=5&round=0", "/v1/suspend?wait_s=5&round=4"])
        self.assertEqual(agent.connections, 2)

    def test_suspend_tells_of_a_resize(self) -> None:
        wanted = {"requested": True, "round": 1, "grace_ms": 30000, "stop_step": None, "decided": False, "reason": "resize", "workers": 6}
        reply = self.context(self.agent(always(wanted)).path).suspend(wait_s=0)
        self.assertEqual((reply.requested, reply.reason, reply.workers), (True, "resize", 6))
        # An agent that tells neither, and one that wants nothing.
        for answer in ({"requested": True, "round": 1}, {"requested": False, "round": 0, "reason": None, "workers": None}):
            reply = self.context(self.agent(always(answer)).path).suspend(wait_s=0)
            self.assertEqual((reply.reason, reply.workers), (None, None))

    def test_a_progress_call_takes_about_a_millisecond(self) -> None:
        agent = self.agent(always({"stop": False}))
        context = self.context(agent.path)
        times = []
        for step in range(200):
            started_at = time.perf_counter()
            context.progress(step)
            times.append(time.perf_counter() - started_at)
        # The server of this test is Python too and shares the interpreter: a generous bound that still finds a new connection a call.
        self.assertLess(sorted(times)[100], 0.01)
        self.assertEqual(agent.connections, 1)


if __name__ == "__main__":
    unittest.main()
