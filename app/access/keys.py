"""The keys of those who may ask. Only their digests are kept, so that nothing can show a key."""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Self

SHORT = 16  # characters: less can be guessed; `openssl rand -hex 16` gives 32
VISIBLE = re.compile(r"[\x21-\x7e]+")


class Keys:
    """Some keys, or none: then everybody may ask."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Raises: ValueError, when one isn't of visible ASCII; the message doesn't show it."""
        keys = list(keys)
        if not all(map(VISIBLE.fullmatch, keys)):
            raise ValueError("each key should be of visible ASCII characters, and no blanks")
        self.can_be_guessed = any(len(key) < SHORT for key in keys)
        self._digests = tuple(sha256(key.encode("ascii")).digest() for key in keys)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From keys with commas between them, or from `@` and the path of a file that has one a line.

        Blanks around keys, empty lines and lines that begin with # don't matter.
        Raises: ValueError; the message shows the path, but no key.
        """
        if not text.strip():
            return cls()
        if not text.startswith("@"):
            return cls._of(text.split(","), "it should have a key")
        path = Path(text[1:])
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ValueError(f"the file {path} can't be read: {reason}") from None
        return cls._of(
            (line for line in lines if line.lstrip()[:1] != "#"), f"the file {path} should have a key a line"
        )

    @classmethod
    def _of(cls, texts: Iterable[str], expected: str) -> Self:
        keys = [text.strip() for text in texts if text.strip()]
        if not keys:  # everybody might ask, which is not what was meant
            raise ValueError(f"{expected}, and has none")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __str__(self) -> str:
        return f"{len(self._digests) or 'none'}"

    __repr__ = __str__

    def know(self, given: bytes) -> bool:
        """Whether `given` is one of the keys. Takes the same time whichever it is, and however much of one is right."""
        digest, known = sha256(given).digest(), False
        for each in self._digests:
            known |= hmac.compare_digest(each, digest)
        return known
