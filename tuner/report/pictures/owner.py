"""Whose a picture is: a line within the PNG, so that none is replaced by another's."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEY = "Source"  # of PNG's own keywords for texts


def write_owner(png: bytes, owner: str) -> bytes:
    """The same picture, which says that it shows `owner`, such as `study mynet`."""
    says = PngInfo()
    says.add_itxt(KEY, owner)
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.save(buffer, format="PNG", pnginfo=says, dpi=image.info.get("dpi"), optimize=True)
    return buffer.getvalue()


def read_owner(path: Path) -> str | None:
    """What the picture in a file says it shows; None where it says nothing, or is no picture."""
    try:
        with Image.open(path) as image:
            said = image.info.get(KEY)
    except (OSError, ValueError, SyntaxError):
        return None
    return None if said is None else str(said)
