"""A local HTTP server of the files in a folder, and one that sends ranges and counts what it sends."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.limits import LAST_RESORT


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@dataclass
class Sent:
    """What a server has sent."""

    #: (name, first byte, bytes) of each answer
    answers: list[tuple[str, int, int]] = field(default_factory=list)
    #: bytes of an answer after which the connection is closed; None: never
    cut: int | None = None

    def of(self, name: str) -> int:
        """Bytes of a file, all answers together."""
        return sum(count for served, _, count in self.answers if served == name)


class _Ranges(_Quiet):
    """Sends the range that a request asks for, as file servers and object stores do."""

    def __init__(self, sent: Sent, *request, **options) -> None:
        self._sent = sent
        super().__init__(*request, **options)

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start, end, code = 0, len(data), 200
        if asked := self.headers.get("Range"):
            first, last = asked.removeprefix("bytes=").split("-")
            start, end, code = int(first), min(int(last) + 1 if last else end, end), 206
        self.send_response(code)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.end_headers()
        if body:
            part = data[start:end][: self._sent.cut]
            self._sent.answers.append((path.name, start, len(part)))
            self.wfile.write(part)
            self.close_connection = True


@contextmanager
def serving_ranges(folder: Path) -> Iterator[tuple[str, Sent]]:
    """The address of a server of ranges, and what it sends."""
    sent = Sent()
    with serving(folder, functools.partial(_Ranges, sent)) as address:
        yield address, sent


@contextmanager
def serving(folder: Path, handler: Callable[..., http.server.SimpleHTTPRequestHandler] = _Quiet) -> Iterator[str]:
    """The address of the server."""
    with running(functools.partial(handler, directory=folder)) as address:
        yield address


@contextmanager
def running(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on loopback that answers by this handler."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(LAST_RESORT)
