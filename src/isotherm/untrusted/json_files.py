"""JSON that may be damaged: UTF-8 of bounded size, finite numbers, no name twice."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from isotherm.errors import brief
from isotherm.untrusted.schemas import DamagedError

MOST_JSON = 64 * 2**20  #: bytes of a JSON file that is read
_MOST_DIGITS = 300  # of a whole number: more than float64 can hold


def read_json(file: Path) -> Any:
    """Plain JSON: UTF-8, finite numbers, no name twice, at most 64 MiB. OSError where it cannot be read."""
    size = file.stat().st_size
    if size > MOST_JSON:
        raise DamagedError(f"{size:,} bytes; at most {MOST_JSON:,} are read")
    return parse_json(file.read_bytes())


def parse_json(content: bytes) -> Any:
    """The same from the bytes themselves."""
    try:
        value = json.loads(
            content.decode("utf-8"),
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_duplicates,
        )
        if b"\\ud" in content.lower():  # half of a surrogate pair is no text
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as cause:
        raise DamagedError("it is nested too deeply") from cause
    except UnicodeError as cause:
        raise DamagedError("it is no UTF-8 text") from cause
    except json.JSONDecodeError as cause:
        raise DamagedError(f"no JSON: {cause}") from cause
    return value


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise DamagedError(f"a number of {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DamagedError(f"{brief(text)} is not a finite number")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise DamagedError(f"{text} is not a finite number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise DamagedError(f"{brief(next(n for n in names if names.count(n) > 1))} is there twice")
    return values
