"""Database URLs: read once, and shown to people without what is secret in them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ..errors import HIDDEN, UsageError

DRIVER = "postgresql+psycopg"
# Parameters whose values are shown. All others are hidden: passwords, where one lies, and names that no driver knows.
SHOWN = frozenset(
    {"host", "hostaddr", "port", "dbname", "user", "service", "sslmode", "sslrootcert", "sslnegotiation", "channel_binding"}
    | {"gssencmode", "connect_timeout", "tcp_user_timeout", "keepalives", "target_session_attrs", "load_balance_hosts"}
    | {"application_name", "client_encoding"}
    | {"mode", "cache", "uri", "timeout", "immutable", "nolock", "vfs"}  # SQLite's
)


def parse(url: str) -> sa.URL:
    """The URL with its driver named. Errors: UsageError for one that cannot be used, which shows no secret."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"storage {_shorten(url)!r} is not a URL: give sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        if "@" in (parsed.host or ""):
            raise UsageError(f"storage {_shorten(url)!r} has an @ in its user or its password: write %40 for it")
        return parsed.set(drivername=DRIVER)
    if backend != "sqlite":
        raise UsageError(f"storage {hide_secrets(parsed)!r}: {backend} is not supported: give sqlite:///FILE or postgresql://...")
    if parsed.database in (None, "", ":memory:"):
        raise UsageError(f"storage {hide_secrets(parsed)!r} is in memory only, and workers are processes of their own: give sqlite:///FILE")
    return parsed


def hide_secrets(url: sa.URL) -> str:
    """A URL for people: what is secret, or may be, hidden; the driver as they typed it."""
    query = {name: value if name in SHOWN and not _holds_more(value) else HIDDEN for name, value in url.query.items()}
    shown = url.set(query=query, drivername=url.drivername.replace(DRIVER, "postgresql"))
    if url.get_backend_name() == "postgresql" and _holds_more(url.database or ""):
        shown = shown.set(database=HIDDEN)
    if ":" in (url.username or ""):  # %3A, where a plain one begins the password
        shown = shown.set(username=HIDDEN)
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", HIDDEN)


def _holds_more(value: str | tuple[str, ...]) -> bool:
    """Whether a sign in it was meant to end it, so that a password may follow."""
    return not isinstance(value, str) or bool(set("=@?&;#") & set(value))


def find_sqlite_path(url: sa.URL) -> Path | None:
    """The SQLite file; None for a server."""
    return Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None


def _shorten(url: str) -> str:
    """As much of a text that could not be read as holds no secret: what stands where is not known."""
    scheme, found, _ = url.partition("://")
    if found:
        return f"{scheme}://..."
    return "..." if set("=@:") & set(url) else url
