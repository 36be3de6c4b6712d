"""HTTP over the agent's Unix socket, on one connection that is kept open.

The agent may be restarted while ranks run on. So a connection that cannot be made is a normal answer (`Unreachable`), never the end
of training. A call that broke after it was sent is different: the agent may have held it to make all ranks stop at one step, and to
walk on would break what this rank promised. Such a call is repeated until the agent is back; all calls of this API may be repeated.
"""

import http.client
import json
import select
import socket
import threading
import time
from typing import Any, Dict, Optional

# A held progress call is answered within the job's grace period (default 30 s); the agent gives up long before this.
CALL_TIMEOUT_S = 120.0
# How long a call that broke half-way is repeated. An agent is back within seconds, or somebody has to look.
REPEAT_FOR_S = 60.0
REPEAT_EVERY_S = 0.1


class ShoalError(Exception):
    """The agent refused a call: the script's own mistake. The message names the field."""


class Unreachable(Exception):
    """No agent behind the socket now."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


class Client:
    """Calls of one rank. Safe to use from several threads; a long poll should have a client of its own."""

    def __init__(self, path: str, rank: int, timeout_s: float = CALL_TIMEOUT_S, repeat_for_s: float = REPEAT_FOR_S) -> None:
        self.path = path
        self._rank = rank
        self._timeout_s = timeout_s
        self._repeat_for_s = repeat_for_s
        self._lock = threading.Lock()
        self._connection: Optional[_UnixConnection] = None

    def get(self, path: str) -> Dict[str, Any]:
        return self._call("GET", path, None)

    def post(self, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        return self._call("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _call(self, method: str, path: str, body: Optional[bytes]) -> Dict[str, Any]:
        with self._lock:
            give_up_at = time.monotonic() + self._repeat_for_s
            was_sent = False
            while True:
                try:
                    self._connect()
                except OSError as error:
                    self._drop()
                    if not was_sent or time.monotonic() >= give_up_at:
                        raise Unreachable(f"{self.path}: {error}") from error
                    time.sleep(REPEAT_EVERY_S)
                    continue
                try:
                    return self._exchange(method, path, body)
                except (OSError, http.client.HTTPException) as error:
                    self._drop()
                    was_sent = True
                    if time.monotonic() >= give_up_at:
                        raise Unreachable(f"{self.path}: {type(error).__name__} {error}") from error
                    time.sleep(REPEAT_EVERY_S)

    def _connect(self) -> None:
        # An idle connection has nothing to read, unless its other end was closed: find that out before anything is sent.
        if self._connection is not None and _is_readable(self._connection.sock):
            self._drop()
        if self._connection is None:
            self._connection = _UnixConnection(self.path, self._timeout_s)
            self._connection.connect()

    def _exchange(self, method: str, path: str, body: Optional[bytes]) -> Dict[str, Any]:
        assert self._connection is not None
        headers = {"X-Shoal-Rank": str(self._rank)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        data = response.read()
        if response.will_close:
            self._drop()
        # 410: the agent has given this worker up and will end it, or lost its journal; neither is the script's mistake.
        if 400 <= response.status < 500 and response.status != 410:
            raise ShoalError(_reason(method, path, response.status, data))
        if response.status >= 400:
            raise Unreachable(_reason(method, path, response.status, data))
        answer = json.loads(data) if data else {}
        if not isinstance(answer, dict):
            raise ShoalError(f"{method} {path}: the agent answered {data[:100]!r}, which is not an object")
        return answer

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_readable(sock: Optional[socket.socket]) -> bool:
    if sock is None:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _reason(method: str, path: str, status: int, data: bytes) -> str:
    """The agent says {"error": {"field", "message"}}."""
    text = data.decode("utf-8", "replace").strip()
    try:
        error = json.loads(text)["error"]
        text = ": ".join(part for part in (error["field"], error["message"]) if part)
    except (ValueError, KeyError, TypeError):
        pass
    return f"{method} {path}: {status} {text}"
