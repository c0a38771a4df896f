"""A server of files on this machine, and data sets of a test's own that come from it."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from minigrad.data import sources

CONTENT = bytes(range(256)) * 4000  # more than one piece


class Answers(http.server.BaseHTTPRequestHandler):
    """A server whose answer is told by the path that is asked for."""

    content = CONTENT
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        kind = self.path.rpartition("/")[2]  # a proxy is asked for whole addresses
        if kind.isdigit():
            self.send_error(int(kind))
            return
        body = {"short": CONTENT[:-1], "long": CONTENT + b"x", "other": CONTENT[::-1], "page": b"<html>"}.get(kind, CONTENT)
        self.send_response(302 if kind == "moved" else 200)
        if kind == "moved":
            self.send_header("Location", "/good")
        if kind == "cut":
            self.send_header("Content-Length", str(len(CONTENT)))
            body = CONTENT[:1000]
        elif kind == "page":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "silent":
            self.wfile.write(CONTENT[:10])
            self.wfile.flush()
            self.server.done.wait(10)  # type: ignore[attr-defined]
        elif kind != "moved":
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the client has seen enough

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[str]:
    """The address of the server, while it runs."""
    Answers.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.done = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.done.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def unused_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def described(name: str, content: bytes, *places: sources.Source, system: sources.SystemFile | None = None) -> sources.File:
    return sources.File(name, hashlib.sha256(content).hexdigest(), len(content), places, system)


def toy(*places: sources.Source, system: sources.SystemFile | None = None) -> tuple[sources.DataSet, sources.File]:
    file = described("toy.bin", CONTENT, *places, system=system)
    return sources.DataSet("toy", (file,), "MIT", "bytes"), file
