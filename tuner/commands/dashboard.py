"""tuner dashboard: optuna-dashboard on our storage."""

from __future__ import annotations

import click

from .options import storage_option


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Address to listen on; beyond loopback only with a token."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, metavar="PORT", help="Port to listen on; 0 takes a free one."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option("--allow-writes", is_flag=True, help="Let the browser change and delete studies.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A further name that browsers may call this machine by; repeatable.")
@click.option("--token", envvar="TUNER_DASHBOARD_TOKEN", metavar="TOKEN", help="Ask for this token.  [default: TUNER_DASHBOARD_TOKEN]")
@storage_option
def dashboard(
    host: str, port: int, no_browser: bool, allow_writes: bool, allow_host: tuple[str, ...], token: str | None, storage: str | None
) -> None:
    """Serve optuna-dashboard, read-only, for the browser. Ctrl-C ends it."""
    from ..dashboard.server import check_reach, serve
    from ..study.storage import Storage

    check_reach(host, token)
    serve(
        Storage(storage, make=True),
        host=host,
        port=port,
        browser=not no_browser,
        allow_writes=allow_writes,
        allow_hosts=allow_host,
        token=token,
    )
