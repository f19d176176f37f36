"""optuna-dashboard behind a guard: known hosts, a token where others could come, and no writes unless allowed.

One rule is added to its page: it breaks long lines.
"""

from __future__ import annotations

import hmac
import ipaddress
import multiprocessing
import signal
import socket
import webbrowser
from collections.abc import Callable, Collection, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import optuna_dashboard
import waitress

from ..console.text import say
from ..errors import TunerError, UsageError
from ..study.storage import Storage
from .artifacts import open_artifact_store

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]
COOKIE = "tuner_token"
READING = ("GET", "HEAD", "OPTIONS")
THREADS = 8
# As it comes, a trial's attributes are one line each: with a curve among them the trial page is 8,000 pixels wide.
STYLE = b"<style>main p.MuiTypography-body1 { white-space: normal; overflow-wrap: anywhere; }</style>"


def serve(
    storage: Storage, *, host: str, port: int, browser: bool, allow_writes: bool, allow_hosts: Collection[str], token: str | None
) -> None:
    """Serve until SIGINT or SIGTERM. Errors: UsageError beyond loopback without a token, TunerError for a port in use."""
    check_reach(host, token)
    names = {"localhost", "127.0.0.1", "[::1]", host, *allow_hosts}
    if not is_loopback(host):
        names |= {socket.gethostname(), socket.getfqdn()}
    shown = optuna_dashboard.wsgi(storage.optuna, open_artifact_store(storage))
    application = guard(add_style(shown), hosts=names, token=token, allow_writes=allow_writes)
    try:
        server = waitress.create_server(application, host=host, port=port, threads=THREADS, ident=None)
    except OSError as error:
        raise TunerError(f"--host {host} --port {port} cannot be listened on ({error.strerror}): give another --port") from None
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{server.effective_port}/"
    say(f"dashboard of {str(storage)!r} at {address}{'' if allow_writes else ' (read-only)'}; Ctrl-C ends it")
    if token:
        say(f"asks for the token; once per browser, open {address}?token=TOKEN")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    if browser and is_loopback(host) and not token:
        webbrowser.open(address)
    url = storage.url.render_as_string(hide_password=False)
    # In a process of its own, so that drawing does not delay the pages. It ignores Ctrl-C, and ends with this process.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    multiprocessing.get_context("spawn").Process(target=_publish, args=(url,), daemon=True).start()
    signal.signal(signal.SIGINT, interrupt)
    server.run()  # waitress itself ends on KeyboardInterrupt


def _publish(url: str) -> None:
    """Make the notes, plots and artifacts that no search has made yet."""
    from .publish import publish_every

    publish_every(Storage(url))


def check_reach(host: str, token: str | None) -> None:
    """UsageError for an address that other machines can reach, without a token."""
    if not is_loopback(host) and not token:
        raise UsageError(f"--host {host} can be reached from other machines: give --token or set TUNER_DASHBOARD_TOKEN")


def guard(application: Application, *, hosts: Collection[str], token: str | None, allow_writes: bool) -> Application:
    """The application behind the guard, in WSGI.

    A Host header that is not in `hosts` gets 421: a page elsewhere could else have its own name point here (DNS
    rebinding). Without the token 401, compared in constant time. A method that writes gets 405.
    """
    known = {name.lower() for name in hosts}

    def guard(environ: Environ, start: Start) -> Iterable[bytes]:
        if _host(environ) not in known:
            return _refuse(start, "421 Misdirected Request", "unknown Host: start with --allow-host NAME to accept it")
        given = _token(environ)
        if token is not None and not hmac.compare_digest(given.encode(), token.encode()):
            return _refuse(start, "401 Unauthorized", "open this page with ?token=TOKEN", ("WWW-Authenticate", "Bearer"))
        if not allow_writes and environ["REQUEST_METHOD"] not in READING:
            return _refuse(start, "405 Method Not Allowed", "read-only: start with --allow-writes", ("Allow", ", ".join(READING)))
        if token is None or "token" not in parse_qs(environ.get("QUERY_STRING", "")):
            return application(environ, start)
        cookie = f"{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict"
        return _refuse(start, "303 See Other", "", ("Set-Cookie", cookie), ("Location", environ.get("PATH_INFO") or "/"))

    return guard


def add_style(application: Application) -> Application:
    """The application, in WSGI, with `STYLE` in its pages."""

    def styled(environ: Environ, start: Start) -> Iterable[bytes]:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        body = application(environ, lambda status, headers, *_: begun.append((status, headers)))
        status, headers = begun[-1]
        names = {name.lower(): value for name, value in headers}
        if environ["REQUEST_METHOD"] != "GET" or not status.startswith("200") or not names.get("content-type", "").startswith("text/html"):
            start(status, headers)
            return body
        page = b"".join(body).replace(b"</head>", STYLE + b"</head>", 1)
        getattr(body, "close", lambda: None)()
        start(status, [*((name, value) for name, value in headers if name.lower() != "content-length"), ("Content-Length", str(len(page)))])
        return [page]

    return styled


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(environ: Environ) -> str:
    """The Host header's name in lower case, without its port."""
    header = str(environ.get("HTTP_HOST", "")).lower()
    name, _, port = header.rpartition(":")
    return name if port.isdigit() and name else header


def _token(environ: Environ) -> str:
    """The token that a request brings: in its address, its Authorization header or its cookie."""
    asked = parse_qs(environ.get("QUERY_STRING", "")).get("token")
    if asked:
        return str(asked[0])
    kind, _, given = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    try:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _refuse(start: Start, status: str, text: str, *headers: tuple[str, str]) -> list[bytes]:
    body = f"{text}\n".encode()
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers])
    return [body]
