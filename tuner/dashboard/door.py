"""Who may ask the dashboard for what: known hosts, a token where others could come, and no writes unless allowed."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]
Header = tuple[str, str]
COOKIE = "tuner_token"
COOKIE_SECONDS = 30 * 86400
READING = ("GET", "HEAD", "OPTIONS")
NO_FRAMES = "frame-ancestors 'none'"
# On every answer. Nothing of a study belongs into another page, and nobody else is told its address.
SAFE: tuple[Header, ...] = (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"))
# On files that trials made: they are looked at or kept, and never run as a page of this server.
ARTIFACT: tuple[Header, ...] = (
    ("Content-Disposition", "attachment"),
    ("Content-Security-Policy", f"default-src 'none'; style-src 'unsafe-inline'; sandbox; {NO_FRAMES}"),
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer in place of the application's."""

    status: str
    text: str
    headers: tuple[Header, ...] = ()
    is_json: bool = False  # as the dashboard's own page expects it, which then says why

    def to_headers(self) -> list[Header]:
        kind = ("Content-Type", "application/json" if self.is_json else "text/plain; charset=utf-8")
        return [kind, ("Content-Length", str(len(self.to_body()))), ("Content-Security-Policy", NO_FRAMES), *SAFE, *self.headers]

    def to_body(self) -> bytes:
        return f"{json.dumps({'reason': self.text}) if self.is_json else self.text}\n".encode()


def read_token(given: str | None) -> str | None:
    """The token without the spaces around it, which a header would lose; an empty or blank one is none."""
    return (given or "").strip() or None


class Door:
    """Looks at what stands before a request's body, and at nothing else."""

    def __init__(self, *, hosts: Collection[str], token: str | None, allow_writes: bool) -> None:
        self._known = {name.lower() for name in hosts}
        self._token = read_token(token)
        self._allow_writes = allow_writes
        # Slow on purpose: who reads a cookie shall not find a short token from it.
        self._key = hashlib.scrypt((self._token or "").encode(), salt=b"tuner dashboard", n=2**14, r=8, p=1)

    def refuse(self, environ: Environ) -> Refusal | None:
        """None for a request that may come in. In this order:

        421 for a Host header that is not known: a page elsewhere could else have its own name point here (DNS rebinding).
        401 without the token. 405 for a method that writes. 403 for one that another page sends, where writes are allowed.
        """
        if _host(environ) not in self._known:
            return Refusal(status="421 Misdirected Request", text="unknown Host: start with --allow-host NAME to accept it")
        if self._token is not None and not self._is_let_in(environ):
            return Refusal(status="401 Unauthorized", text="open this page with ?token=TOKEN", headers=(("WWW-Authenticate", "Bearer"),))
        if environ["REQUEST_METHOD"] in READING:
            return None
        if not self._allow_writes:
            allowed = (("Allow", ", ".join(READING)),)
            text = "this dashboard is read-only: start it with --allow-writes"
            return Refusal(status="405 Method Not Allowed", text=text, headers=allowed, is_json=True)
        if not _is_own_page(environ):
            text = "only this dashboard's own page may write: the header Origin has to name it"
            return Refusal(status="403 Forbidden", text=text, is_json=True)
        return None

    def keep_token(self, environ: Environ) -> Refusal | None:
        """For a request that brings the token in its address: the same page without it, and a cookie in its place."""
        if self._token is None or _query_token(environ) is None:
            return None
        secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
        cookie = f"{COOKIE}={self._sign(int(time.time()))}; Path=/; HttpOnly; SameSite=Strict{secure}"
        # One slash: two would begin the name of another server.
        path = "/" + quote(str(environ.get("PATH_INFO", "")).lstrip("/"), encoding="latin-1")
        return Refusal(status="303 See Other", text="", headers=(("Set-Cookie", cookie), ("Location", path)))

    def _is_let_in(self, environ: Environ) -> bool:
        token = (self._token or "").encode()
        asked = _query_token(environ)
        if asked is not None:
            return hmac.compare_digest(asked.encode(), token)
        kind, _, given = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        if kind.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode("latin-1", "replace"), token)
        # By its own pattern: other programs' cookies for this name may be anything.
        cookies = re.findall(rf"(?:^|;)\s*{COOKIE}=(\d+)\.([0-9a-f]+)", str(environ.get("HTTP_COOKIE", "")))
        return any(self._is_fresh(int(when), f"{when}.{mac}") for when, mac in cookies)

    def _is_fresh(self, when: int, value: str) -> bool:
        return hmac.compare_digest(value, self._sign(when)) and 0 <= time.time() - when < COOKIE_SECONDS

    def _sign(self, when: int) -> str:
        """The cookie's value: when it was given, and that only one who knows the token gave it."""
        return f"{when}.{hmac.digest(self._key, str(when).encode(), 'sha256').hex()}"


def guard(application: Application, door: Door) -> Application:
    """The application behind the door, in WSGI, with the headers that are safe on every answer."""

    def guarded(environ: Environ, start: Start) -> Iterable[bytes]:
        refusal = door.refuse(environ) or door.keep_token(environ)
        if refusal is not None:
            start(refusal.status, refusal.to_headers())
            return [refusal.to_body()]
        artifact = str(environ.get("PATH_INFO", "")).startswith("/artifacts/")
        added = [*SAFE, *(ARTIFACT if artifact else (("Content-Security-Policy", NO_FRAMES),))]
        replaced = {name.lower() for name, _ in added} | {"access-control-allow-origin"}

        def start_safely(status: str, headers: list[Header], *rest: Any) -> Any:
            return start(status, [*(header for header in headers if header[0].lower() not in replaced), *added], *rest)

        return application(environ, start_safely)

    return guarded


def _host(environ: Environ) -> str:
    """The Host header's name in lower case, without its port."""
    header = str(environ.get("HTTP_HOST", "")).lower()
    name, _, port = header.rpartition(":")
    return name if port.isdigit() and name else header


def _is_own_page(environ: Environ) -> bool:
    """Whether a request comes from a page of this server. A browser always says so; a program that has the token itself need not."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return str(environ.get("HTTP_AUTHORIZATION", "")).lower().startswith("bearer ")
    return urlsplit(str(origin)).netloc.lower() == str(environ.get("HTTP_HOST", "")).lower() != ""


def _query_token(environ: Environ) -> str | None:
    query = str(environ.get("QUERY_STRING", "")).encode("latin-1", "replace").decode("utf-8", "replace")
    asked = parse_qs(query, keep_blank_values=True).get("token")
    return None if asked is None else asked[0].strip()
