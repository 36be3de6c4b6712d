import json
import os
import tempfile
import time
import unittest
from typing import Any, List, Optional

from shoal import CheckpointReply, ShoalError
from shoal.checkpoints import ShardedCheckpoints, list_complete, read_manifest, shard_path


class CheckpointsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shoal-checkpoints-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def store(self, rank: int, attempt: int = 1, **options: Any) -> ShardedCheckpoints:
        directory = os.path.join(self.root, f"attempt-{attempt}")
        return ShardedCheckpoints(directory, rank=rank, world_size=2, root=self.root, **options)

    def save(self, step: int, attempt: int = 1, ranks: Optional[List[int]] = None, **options: Any) -> str:
        """Rank 0 last, so that its pruning sees the whole checkpoint."""
        folder = ""
        for rank in [1, 0] if ranks is None else ranks:
            folder = self.store(rank, attempt, **options).save(step, lambda file, rank=rank: file.write(b"shard %d" % rank))
        return folder

    def left(self) -> List[str]:
        return [f"{checkpoint.attempt}/{checkpoint.step}" for checkpoint in list_complete(self.root)]

    def test_each_rank_writes_its_own_shard_and_rank_0_the_manifest(self) -> None:
        folder = self.save(100)
        self.assertEqual(folder, os.path.join(self.root, "attempt-1", "step-00000100"))
        self.assertEqual(sorted(os.listdir(folder)), ["manifest.json", "rank-00000.npz", "rank-00001.npz"])
        with open(shard_path(folder, 1), "rb") as file:
            self.assertEqual(file.read(), b"shard 1")
        self.assertEqual(read_manifest(folder), {"step": 100, "world_size": 2})

    def test_a_checkpoint_without_every_shard_is_not_complete_and_says_which_is_missing(self) -> None:
        folder = self.save(100, ranks=[0])
        self.assertEqual(self.left(), [])
        with self.assertRaisesRegex(ShoalError, r"shards of ranks \[1\] are missing \(of 2\)"):
            read_manifest(folder)

    def test_a_shard_whose_writing_failed_leaves_nothing(self) -> None:
        def fail(_: Any) -> None:
            raise OSError(28, "No space left on device")

        with self.assertRaisesRegex(ShoalError, "checkpoint of step 7: .*step-00000007: No space left on device"):
            self.store(1).save(7, fail)
        self.assertEqual(os.listdir(os.path.join(self.root, "attempt-1", "step-00000007")), [])

    def test_the_newest_are_kept_across_attempts(self) -> None:
        for attempt, step in ((1, 20), (1, 40), (2, 60), (2, 80)):
            self.save(step, attempt, keep=2)
        self.assertEqual(self.left(), ["2/60", "2/80"])

    def test_a_later_attempt_is_newer_than_a_later_step(self) -> None:
        self.save(80, attempt=1)
        self.save(60, attempt=2)
        self.save(70, attempt=2, keep=1)
        self.assertEqual(self.left(), ["2/70"])

    def test_the_one_that_was_resumed_from_stays(self) -> None:
        resumed_from = self.save(20)
        for step in (40, 60):
            self.save(step, attempt=2, keep=1, resumed_from=resumed_from)
        self.assertEqual(self.left(), ["1/20", "2/60"])

    def test_half_written_ones_go_once_a_newer_one_is_complete_but_not_before(self) -> None:
        old = self.save(20, ranks=[1])
        newer = self.save(60, ranks=[1])
        self.save(40, keep=1)
        self.assertEqual((os.path.exists(old), os.path.exists(newer)), (False, True))

    def test_other_ranks_prune_nothing(self) -> None:
        for step in (20, 40):
            self.save(step)
        self.assertEqual(self.store(1, keep=1).prune(), [])
        self.assertEqual(self.left(), ["1/20", "1/40"])

    def test_without_keep_all_stay(self) -> None:
        for step in (20, 40, 60):
            self.save(step)
        self.assertEqual(self.left(), ["1/20", "1/40", "1/60"])

    def test_what_the_controller_does_not_know_yet_replaces_nothing(self) -> None:
        known = lambda step, folder, seconds: CheckpointReply(accepted=True, committed=True)  # noqa: E731
        unknown = lambda step, folder, seconds: CheckpointReply(accepted=True, committed=False)  # noqa: E731
        self.save(20, keep=1, report=known)
        for step in (40, 60):
            self.save(step, keep=1, report=unknown)
        self.assertEqual(self.left(), ["1/20", "1/40", "1/60"])
        self.save(80, keep=1, report=known)
        self.assertEqual(self.left(), ["1/80"])

    def test_a_report_names_step_and_folder_and_how_long_it_took(self) -> None:
        reports = []
        took = []

        def report(step: int, folder: str, seconds: float) -> CheckpointReply:
            reports.append((step, folder, os.path.exists(shard_path(folder, 1))))
            took.append(seconds)
            return CheckpointReply(accepted=True, committed=True)

        began_at = time.monotonic()
        folder = self.store(1, report=report).save(20, lambda _: time.sleep(0.02))
        self.assertEqual(reports, [(20, folder, True)])
        self.assertGreaterEqual(took[0], 0.02)
        self.assertLessEqual(took[0], time.monotonic() - began_at)

    def test_a_folder_that_cannot_be_written_is_named_at_the_start(self) -> None:
        path = os.path.join(self.root, "file")
        with open(path, "wb"):
            pass
        with self.assertRaisesRegex(ShoalError, f"checkpoint folder {path}/attempt-1 cannot be written: Not a directory"):
            ShardedCheckpoints(f"{path}/attempt-1", rank=0, world_size=1)

    def test_a_broken_manifest_is_named(self) -> None:
        folder = self.save(20)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            json.dump({"step": 20}, file)
        with self.assertRaisesRegex(ShoalError, "manifest.json cannot be read"):
            read_manifest(folder)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
