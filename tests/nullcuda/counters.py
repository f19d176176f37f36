"""What the null device counted in this process."""

from __future__ import annotations

import ctypes

_library = ctypes.CDLL(None)
_library.nullcuda_get.restype = ctypes.c_long
_library.nullcuda_get.argtypes = [ctypes.c_char_p]
_library.nullcuda_counters.argtypes = [
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.POINTER(ctypes.c_long),
    ctypes.POINTER(ctypes.c_long),
]


def reset() -> None:
    _library.nullcuda_reset()


def get(what: str) -> int:
    """`launches`, `captured`, `escaped` (launched while a capture went on), `replays`, `syncs`, `used` and `peak` bytes,
    `launches on N`, `mallocs on N`, `streams` (other than the default one, on which anything was ever launched)."""
    return int(_library.nullcuda_get(what.encode()))


def list_all() -> dict[str, tuple[int, int]]:
    """Every kernel and call by name: how often it ran, and how often it was captured."""
    found, index = {}, 0
    name, ran, captured = ctypes.c_char_p(), ctypes.c_long(), ctypes.c_long()
    while _library.nullcuda_counters(index, name, ran, captured):
        assert name.value is not None
        found[name.value.decode()] = (ran.value, captured.value)
        index += 1
    return found


def forbid_waits(forbidden: bool) -> None:
    """From now on a wait for the device is an error, or no longer."""
    _library.nullcuda_strict(int(forbidden))
