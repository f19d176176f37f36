"""The door in front of waitress: what is refused is refused before its body is read."""

from __future__ import annotations

import select
import sys
from typing import Any

import waitress
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer

from .door import Application, Door, Refusal

THREADS = 8
BODY_BYTES = 64 * 1024  # of a request, while nothing may be written
UPLOAD_BYTES = 128 * 1024 * 1024  # as optuna-dashboard itself allows
HEADER_BYTES = 64 * 1024
CONNECTIONS = 500  # an open one costs a file and a few KB; threads are for requests that have come in whole
SILENT_SECONDS = 20


def listen(application: Application, door: Door, *, host: str, port: int, allow_writes: bool) -> tuple[Any, int]:
    """A server that listens, and its port. OSError where it cannot."""
    servers: dict[int, Any] = {}
    server = waitress.create_server(
        application,
        map=servers,
        host="127.0.0.1" if host == "localhost" else host,
        port=port,
        threads=THREADS,
        ident=None,
        max_request_body_size=(UPLOAD_BYTES if allow_writes else BODY_BYTES) + 1,
        max_request_header_size=HEADER_BYTES,
        connection_limit=_limit_connections(),
        channel_timeout=SILENT_SECONDS,
        cleanup_interval=SILENT_SECONDS // 4,
        asyncore_use_poll=hasattr(select, "poll"),  # select knows no file beyond the 1,024th
        # A proxy in front may say that it speaks TLS, and nothing else. Who claims it without one only loses a cookie.
        trusted_proxy="*",
        trusted_proxy_headers={"x-forwarded-proto"},
    )
    listening = [each for each in servers.values() if isinstance(each, BaseWSGIServer)]
    for each in listening:  # one for every address of the host
        each.channel_class = _make_channel(door)
    return server, int(listening[0].effective_port)


def _limit_connections() -> int:
    """Half of the files that this process may open; Windows has no such limit."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(CONNECTIONS, files // 2) if files > 0 else CONNECTIONS


def _make_channel(door: Door) -> type[Any]:
    class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
        """Asks the door as soon as the headers are there. A request without a body is the guard's to refuse."""

        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            if self.body_rcv is None:  # type: ignore[has-type]
                return
            sent = {f"HTTP_{name}": value for name, value in self.headers.items()}
            refusal = door.refuse({**sent, "REQUEST_METHOD": self.command, "QUERY_STRING": self.query})
            if refusal is not None:
                self.error = _Error(refusal)
                self.body_rcv, self.content_length, self.expect_continue = None, 0, False

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = Parser

    return Channel


class _Error:
    """A refusal as waitress sends its errors, before it closes the connection."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = [header for header in self._refusal.to_headers() if header[0] != "Content-Length"]  # waitress adds it
        return self._refusal.status, headers, self._refusal.to_body()
