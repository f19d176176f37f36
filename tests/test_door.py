"""The dashboard's door: who may come in, what is refused before it is read, and what every answer forbids."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna_dashboard
import pytest
from click.testing import CliRunner
from waitress import wasyncore

from tests.test_leases import config
from tuner.commands import main
from tuner.dashboard.artifacts import open_artifact_store
from tuner.dashboard.channel import listen
from tuner.dashboard.door import COOKIE, COOKIE_SECONDS, Door, guard
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load

Headers = dict[str, str]
TOKENS = ["secret", "a;b", 'say "no"', "two words", "비밀번호", "a+b&c=d%41#e", "'", "=", "\\"]


def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """The application behind the door: says that it was reached, and how much body came."""
    body = environ["wsgi.input"].read()
    start("200 OK", [("Content-Type", "text/plain"), ("Access-Control-Allow-Origin", "*")])
    return [b"inside %d" % len(body)]


def ask(door: Door, path: str = "/", query: str = "", method: str = "GET", **headers: str) -> tuple[int, Headers]:
    """The status and the headers of an answer, without a socket. Header names have underscores."""
    sent = {f"HTTP_{name.upper()}": value for name, value in {"Host": "localhost:8080", **headers}.items()}
    asked = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO()}
    begun: list[Any] = []
    b"".join(guard(answer, door)({**asked, **sent}, lambda status, headers, *_: begun.append((int(status.split()[0]), dict(headers)))))
    return begun[-1]


def make(token: str | None = None, writes: bool = False) -> Door:
    return Door(hosts=["localhost", "127.0.0.1"], token=token, allow_writes=writes)


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Serves an application behind a door on a free port of loopback. Returns the port."""
    with ExitStack() as stack:

        def begin(application: Any = answer, token: str | None = None, writes: bool = False, host: str = "127.0.0.1") -> int:
            door = make(token, writes)
            server, port = listen(guard(application, door), door, host=host, port=0, allow_writes=writes)
            thread = threading.Thread(target=server.run, daemon=True)

            def end() -> None:
                server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
                thread.join()
                server.task_dispatcher.shutdown()

            thread.start()
            stack.callback(end)
            return port

        yield begin


def send(port: int, *lines: str, body: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
    return connection


def receive(connection: socket.socket) -> tuple[int, Headers, bytes]:
    """The one answer on a connection that the server closes."""
    with connection:
        response = HTTPResponse(connection)
        response.begin()
        return response.status, dict(response.getheaders()), response.read()


HUGE = "Content-Length: 900000000"
LOCAL = "Host: 127.0.0.1"


@pytest.mark.parametrize(
    "lines,token,writes,status",
    [
        (("POST / HTTP/1.1", "Host: evil.example", HUGE), None, True, 421),
        (("GET / HTTP/1.1", "Host: evil.example", HUGE), None, False, 421),
        (("POST / HTTP/1.1", "Host: evil.example", "Transfer-Encoding: chunked"), None, True, 421),
        (("POST / HTTP/1.1", "Host: evil.example", HUGE, "Expect: 100-continue"), None, True, 421),
        (("POST / HTTP/1.1", LOCAL, HUGE), "secret", True, 401),
        (("POST / HTTP/1.1", LOCAL, HUGE), None, False, 405),
        (("POST / HTTP/1.1", LOCAL, HUGE, "Origin: http://evil.example"), None, True, 403),
        (("GET / HTTP/1.1", LOCAL, HUGE), None, False, 413),
        (("GET / HTTP/1.1", LOCAL, "Content-Length: 65537"), None, False, 413),
        (("POST / HTTP/1.1", LOCAL, HUGE, "Origin: http://127.0.0.1"), None, True, 413),
    ],
)
def test_a_body_is_refused_before_it_is_read(
    serve: Callable[..., int], lines: tuple[str, ...], token: str | None, writes: bool, status: int
) -> None:
    """Not one byte of it is sent: a server that waited for it would never answer."""
    assert receive(send(serve(token=token, writes=writes), *lines))[0] == status


def test_a_small_body_comes_in_and_one_in_chunks_is_measured(serve: Callable[..., int]) -> None:
    port = serve()
    closing = ("GET / HTTP/1.1", LOCAL, "Connection: close")
    assert receive(send(port, *closing, "Content-Length: 65536", body=bytes(65536)))[::2] == (200, b"inside 65536")
    chunks = b"".join(b"1000\r\n" + bytes(4096) + b"\r\n" for _ in range(17))  # 68 KiB, and no end
    assert receive(send(port, *closing, "Transfer-Encoding: chunked", body=chunks))[0] == 413


def test_what_follows_a_refused_request_is_not_taken_for_another(serve: Callable[..., int]) -> None:
    inner = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with send(serve(), "GET / HTTP/1.1", "Host: evil.example", f"Content-Length: {len(inner)}", body=inner) as connection:
        heard = b"".join(iter(lambda: connection.recv(4096), b""))
    assert heard.startswith(b"HTTP/1.1 421 ") and heard.count(b"HTTP/1.1 ") == 1 and b"inside" not in heard


def test_200_silent_connections_leave_it_usable(serve: Callable[..., int]) -> None:
    port = serve()
    with ExitStack() as stack:
        for number in range(200):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            if number % 2:
                silent.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n")  # and never more
        assert receive(send(port, "GET / HTTP/1.1", LOCAL, "Connection: close"))[::2] == (200, b"inside 0")


def test_a_connection_that_stays_silent_is_closed(serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.dashboard.channel.SILENT_SECONDS", 0)
    with socket.create_connection(("127.0.0.1", serve()), timeout=10) as silent:
        assert silent.recv(1) == b""


def test_localhost_is_one_port(serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    find = socket.getaddrinfo

    def find_two(host: str, *rest: Any, **options: Any) -> list[Any]:
        """As where localhost is ::1 and 127.0.0.1: waitress would listen on two ports."""
        found = find("127.0.0.1" if host == "localhost" else host, *rest, **options)
        return [*found, *found] if host == "localhost" else found

    monkeypatch.setattr(socket, "getaddrinfo", find_two)
    port = serve(host="localhost")
    assert receive(send(port, "GET / HTTP/1.1", f"Host: localhost:{port}", "Connection: close"))[0] == 200


def test_an_artifact_is_a_file_to_keep_and_no_page_of_this_server(tmp_path: Path, serve: Callable[..., int]) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study_id = create_or_load(storage, "s", config(), "f", trials=1).leases.study_id
    store, name = open_artifact_store(storage), "0123-abcd"
    (tmp_path / "artifacts").mkdir()
    store.write(name, io.BytesIO(b"<script>alert(1)</script>"))
    about = {"artifact_id": name, "filename": "a.html", "mimetype": "text/html", "encoding": None}
    storage.optuna.set_study_system_attr(study_id, f"artifacts:{name}", json.dumps(about))
    connection = HTTPConnection("127.0.0.1", serve(optuna_dashboard.wsgi(storage.optuna, store)), timeout=10)
    connection.request("GET", f"/artifacts/{study_id}/{name}")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"<script>alert(1)</script>")
    headers = dict(response.getheaders())
    assert (headers["Content-Disposition"], headers["X-Content-Type-Options"]) == ("attachment", "nosniff")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "frame-ancestors 'none'" in policy
    assert "Access-Control-Allow-Origin" not in headers
    connection.close()
    storage.close()


@pytest.mark.parametrize("asked", [{}, {"path": "/dashboard"}, {"Host": "evil.example"}, {"method": "POST"}, {"query": "token=secret"}])
def test_no_answer_may_be_shown_in_a_frame_or_read_by_another_page(asked: dict[str, Any]) -> None:
    for door in (make(), make("secret")):
        _, headers = ask(door, **asked)
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'" and headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff" and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "headers,status",
    [
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Origin": "https://LOCALHOST:8080"}, 200),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 403),
        ({"Authorization": "Bearer x"}, 200),
        ({"Authorization": "Bearer x", "Origin": "http://evil.example"}, 403),
        ({"Authorization": "Basic x"}, 403),
    ],
)
def test_only_the_dashboard_s_own_page_writes(headers: Headers, status: int) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(make(writes=True), method=method, **headers)[0] == status
        assert ask(make(), method=method, **headers)[0] == 405
    assert ask(make(writes=True), **headers)[0] == 200, "who reads needs no Origin"


@pytest.mark.parametrize("token", TOKENS)
def test_every_token_opens_by_address_header_and_cookie(serve: Callable[..., int], token: str) -> None:
    port = serve(token=token)

    def get(path: str, *headers: str) -> tuple[int, Headers, bytes]:
        return receive(send(port, f"GET {path} HTTP/1.1", LOCAL, "Connection: close", *headers))

    assert get("/")[0] == get("/?token=")[0] == get("/", "Authorization: Bearer")[0] == 401
    assert get("/", f"Authorization: Bearer {token}")[0] == 200
    status, headers, _ = get(f"/studies?token={quote(token)}")
    assert (status, headers["Location"]) == (303, "/studies")
    value, *flags = headers["Set-Cookie"].split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert value.isascii() and token not in value.removeprefix(f"{COOKIE}=") and quote(token) not in value.removeprefix(f"{COOKIE}=")
    assert get("/", f"Cookie: {value}")[0] == 200
    assert get("/", f'Cookie: theirs={{"a": [1, 2]}}; {value}; more="')[0] == 200, "other programs' cookies may be anything"
    secure = get(f"/?token={quote(token)}", "X-Forwarded-Proto: https")[1]["Set-Cookie"]
    assert "Secure" in secure.split("; ")


def test_a_cookie_is_made_by_who_knows_the_token_and_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def sign_in(door: Door, token: str) -> str:
        return ask(door, query=f"token={token}")[1]["Set-Cookie"].split(";")[0]

    cookie = sign_in(make("secret"), "secret")
    assert ask(make("secret"), Cookie=cookie)[0] == 200, "after a restart too"
    assert ask(make("other"), Cookie=cookie)[0] == 401
    when, _, mac = cookie.partition("=")[2].partition(".")
    for forged in (
        f"{COOKIE}=secret",
        f"{COOKIE}={when}.",
        f"{COOKIE}={int(when) + 1}.{mac}",
        f"{COOKIE}={when}.{mac[:-1]}",
        f"x{cookie}",
        "=",
    ):
        assert ask(make("secret"), Cookie=forged)[0] == 401, forged
    began = time.time()
    monkeypatch.setattr(time, "time", lambda: began + COOKIE_SECONDS + 1)
    assert ask(make("secret"), Cookie=cookie)[0] == 401


@pytest.mark.parametrize(
    "path,location",
    [("//evil.example/x", "/evil.example/x"), ("/a\r\nSet-Cookie: x=1", "/a%0D%0ASet-Cookie%3A%20x%3D1"), ("/\xed\x95\x9c", "/%ED%95%9C")],
)
def test_the_page_without_the_token_is_one_of_this_server(path: str, location: str) -> None:
    assert ask(make("secret"), path, "token=secret")[1]["Location"] == location


@pytest.mark.parametrize("token", ["", " ", "\t\n"])
def test_a_blank_token_is_none(token: str) -> None:
    assert ask(make(token))[0] == 200
    for given in ({"TUNER_DASHBOARD_TOKEN": token}, {}):
        asked = ["dashboard", "--host", "0.0.0.0", "--no-browser"] + ([] if given else ["--token", token])
        done = CliRunner(env={"TUNER_DASHBOARD_TOKEN": None, **given}).invoke(main, asked)
        assert done.exit_code == 2 and "can be reached from other machines: give --token" in done.output
        assert not Path("studies").exists()


def test_a_host_that_is_none_is_a_line() -> None:
    done = CliRunner().invoke(main, ["dashboard", "--host", "no.such.invalid", "--token", "x", "--no-browser"])
    assert (
        done.exit_code == 2
        and done.output == "Error: --host 'no.such.invalid' is no address and no name of this machine: give another --host\n"
    )
