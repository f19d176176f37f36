"""optuna-dashboard served behind its door."""

from __future__ import annotations

import ipaddress
import multiprocessing
import signal
import socket
import webbrowser
from collections.abc import Collection

import optuna_dashboard

from ..console.text import say
from ..errors import TunerError, UsageError
from ..study.storage import Storage
from .artifacts import open_artifact_store
from .channel import listen
from .door import Door, guard, read_token
from .pages import adapt


def serve(
    storage: Storage, *, host: str, port: int, browser: bool, allow_writes: bool, allow_hosts: Collection[str], token: str | None
) -> None:
    """Serve until SIGINT or SIGTERM. Errors: UsageError beyond loopback without a token, TunerError for a port in use."""
    token = read_token(token)
    check_reach(host, token)
    names = {"localhost", "127.0.0.1", "[::1]", host, *allow_hosts}
    if not is_loopback(host):
        names |= {socket.gethostname(), socket.getfqdn()}
    shown = optuna_dashboard.wsgi(storage.optuna, open_artifact_store(storage))
    door = Door(hosts=names, token=token, allow_writes=allow_writes)
    try:
        server, port = listen(guard(adapt(shown), door), door, host=host, port=port, allow_writes=allow_writes)
    except OSError as error:
        raise TunerError(f"--host {host} --port {port} cannot be listened on ({error.strerror}): give another --port") from None
    except ValueError:  # waitress's own
        raise UsageError(f"--host {host!r} is no address and no name of this machine: give another --host") from None
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}/"
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
    if not is_loopback(host) and read_token(token) is None:
        raise UsageError(f"--host {host} can be reached from other machines: give --token or set TUNER_DASHBOARD_TOKEN")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
