"""A real HTTP server on a real Unix socket, that answers as it is told."""

import atexit
import json
import os
import shutil
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Dict, List, Optional, Tuple

Answer = Tuple[int, Dict[str, Any]]


def _make_folder() -> str:
    folder = tempfile.mkdtemp(prefix="shoal-sdk-")
    # At the end of all tests: another double may take over a path.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class AgentDouble:
    """Speaks HTTP/1.1 with keep-alive. `answer(method, path, rank, body)` decides; every call is kept in `calls`."""

    def __init__(self, answer: Callable[[str, str, str, Dict[str, Any]], Answer], path: Optional[str] = None) -> None:
        self.path = path or os.path.join(_make_folder(), "socket")
        self.calls: List[Tuple[str, str, str, Dict[str, Any]]] = []
        self.connections = 0
        self._open: List[Any] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                double.connections += 1
                double._open.append(self.connection)

            def _serve(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else {}
                call = (self.command, self.path, self.headers["X-Shoal-Rank"], body)
                double.calls.append(call)
                status, reply = answer(*call)
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(self.path, Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """As kill -9 would: the socket file stays, every connection breaks."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:
            try:
                connection.shutdown(2)
            except OSError:
                pass

    def close(self) -> None:
        self.kill()
        if os.path.exists(self.path):
            os.remove(self.path)
