"""The languages of a report, one file each with all its wording. A new one is a file here and a line below."""

from __future__ import annotations

from ..language import Language
from .en import ENGLISH
from .ko import KOREAN

LANGUAGES: dict[str, Language] = {language.code: language for language in (ENGLISH, KOREAN)}
