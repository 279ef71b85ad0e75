"""Searching items by title as one types: beginnings of words first; case, accents and signs do not matter."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from isotherm.types import Bools, Int64

_LENGTH = 500  # characters of a title that are searched
_SOUGHT_WITHIN = 3  # bytes of a word: a shorter one is within nearly every title
_LETTERS = str.maketrans({
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
    "'": "", "’": "", "ʼ": "",
})  # fmt: skip


def folded(text: str) -> str:
    """Words in small letters without accents, one space before each: « alien », or « the matrix ».

    >>> from isotherm.serving.browsing.titles import folded
    >>> folded("Amélie: L’Été!")
    ' amelie lete'
    """
    return _folded(text[:_LENGTH])


@lru_cache(maxsize=50_000)
def _folded(text: str) -> str:
    """Kept: of all titles only those of changed items are new to the next snapshot."""
    decomposed = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    letters = (
        " " if category[0] in "PZC" and category != "Cf" else letter
        for letter, category in ((letter, unicodedata.category(letter)) for letter in decomposed)
        if category not in ("Mn", "Cf")
    )
    words = "".join(letters).split()
    return "".join(f" {word}" for word in words)


@dataclass(frozen=True, eq=False)
class TitleSearch:
    """The titles of n items, as one text.

    text: a line for each item.  starts: where each begins.  clicks: (n,) of each item: of two that match
    alike, the more clicked comes first.
    """

    text: str
    starts: Int64
    clicks: Int64

    @classmethod
    def of(cls, titles: Sequence[str], clicks: Int64) -> Self:
        """Of the titles in the order of the items.

        >>> import numpy as np
        >>> from isotherm.serving.browsing.titles import TitleSearch
        >>> search = TitleSearch.of(["Alien", "The Lion King", "Lilies"], np.array([9, 5, 2]))
        >>> search.rows("li", np.ones(3, dtype=bool)).tolist()
        [2, 1]
        """
        lines = [folded(title) for title in titles]
        starts = np.cumsum([0, *(len(line) + 1 for line in lines)], dtype=np.int64)
        return cls("\n".join(lines) + "\n", starts, clicks)

    def rows(self, query: str, allowed: Bools) -> Int64:
        """Rows of the items whose title holds every word of the query, the best first.

        Titles that begin with the query, then those with words that begin with its words, then, from three
        letters on, those that hold them within words.  allowed: (n,) which may be found.
        An empty query finds all.
        """
        sought, words = folded(query), list(dict.fromkeys(folded(query).split()))
        if not words:
            n = 0 if query.strip() else len(allowed)
            return self._best_first(np.arange(n), np.zeros(n, dtype=np.int64), allowed)
        beginning = self._holding([f" {word}" for word in words])
        within = self._holding(
            [word if len(word.encode()) >= _SOUGHT_WITHIN else f" {word}" for word in words]
        )
        rows = np.union1d(beginning, within)
        levels = np.where(np.isin(rows, beginning), 1, 2)
        levels[[self.text.startswith(sought, self.starts[row]) for row in rows]] = 0
        return self._best_first(rows, levels, allowed)

    def _best_first(self, rows: Int64, levels: Int64, allowed: Bools) -> Int64:
        found: Int64 = rows[np.lexsort((rows, -self.clicks[rows], levels))]
        return found[allowed[found]]

    def _holding(self, parts: Sequence[str]) -> Int64:
        """Rows whose line holds every part, ascending; the longest is sought, the others looked for there."""
        rarest, *others = sorted(parts, key=len, reverse=True)
        places = [match.start() for match in re.finditer(re.escape(rarest), self.text)]
        rows = np.unique(np.searchsorted(self.starts, places, side="right") - 1)
        if not others:
            return rows
        return np.array(
            [row for row in rows if all(part in self._line(row) for part in others)], dtype=np.int64
        )

    def _line(self, row: int) -> str:
        return self.text[self.starts[row] : self.starts[row + 1]]
