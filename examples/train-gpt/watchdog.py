"""Ends the process when a peer is gone and the collective that waits for it does not notice."""

import os
import sys
import threading
import time


class Watchdog:
    """Armed around what may hang on others; exits the process (code 75) when it takes longer than said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline = float("inf")
        self._what = ""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, what: str, limit_s: float) -> None:
        with self._lock:
            self._what, self._deadline = what, time.monotonic() + limit_s

    def disarm(self) -> None:
        with self._lock:
            self._deadline = float("inf")

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                is_late = time.monotonic() > self._deadline
            if is_late:
                print(f"{self._what} did not end in time: a peer is gone or stuck", file=sys.stderr, flush=True)
                # Not sys.exit: the main thread is inside the call that hangs.
                os._exit(75)
