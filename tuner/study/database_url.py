"""Database URLs: read once, and shown to people without what is secret in them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ..errors import UsageError

DRIVER = "postgresql+psycopg"
HIDDEN = "***"
# Parameters of a PostgreSQL URL: those that libpq itself does not show, keys that stand for a password, and where one lies.
SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key", "passfile"})


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
        raise UsageError(f"storage {url!r} is in memory only, and workers are processes of their own: give sqlite:///FILE")
    return parsed


def hide_secrets(url: sa.URL) -> str:
    """A URL for people: what is secret hidden, the driver as they typed it."""
    query = {name: HIDDEN if name.lower() in SECRETS else value for name, value in url.query.items()}
    shown = url.set(query=query, drivername=url.drivername.replace(DRIVER, "postgresql")).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", HIDDEN)


def find_sqlite_path(url: sa.URL) -> Path | None:
    """The SQLite file; None for a server."""
    return Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None


def _shorten(url: str) -> str:
    """As much of a text that could not be read as holds no secret: what stands where is not known."""
    scheme, found, _ = url.partition("://")
    if found:
        return f"{scheme}://..."
    return "..." if set("=@") & set(url) else url
