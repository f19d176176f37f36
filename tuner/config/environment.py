"""Environment variables that are read as numbers, flags and folders. Empty is as not set."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import UsageError
from .checks import find_path

# Seconds, and what each is where it is not set: how long a lease lives without a heartbeat, and how long an outage is waited out.
SECONDS = {"TUNER_LEASE_SECONDS": 30.0, "TUNER_PATIENCE_SECONDS": 300.0}
MOST_SECONDS = 10_000_000  # four months; a system call takes no more than a few hundred years


def read_seconds(name: str) -> float:
    """One of SECONDS. Errors: UsageError for what is no number of seconds."""
    text = os.environ.get(name, "").strip()
    if not text:
        return SECONDS[name]
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"{name}={text!r} is no number of seconds above 0 and up to {MOST_SECONDS:,}: set one, or leave it out")
    return seconds


def check_seconds() -> None:
    """Errors: UsageError where one of SECONDS is none."""
    for name in SECONDS:
        read_seconds(name)


def read_flag(name: str, default: bool) -> bool:
    """Yes or no, as the command line reads it. Errors: UsageError for what is neither."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return bool(click.BOOL.convert(text, None, None))
    except click.BadParameter:
        raise UsageError(f"{name}={text!r} is neither yes nor no: set 1 or 0, or leave it out") from None


def read_folder(name: str, default: str) -> Path:
    """A folder. Errors: UsageError for what can be none."""
    return find_path(os.environ.get(name) or default, name)
