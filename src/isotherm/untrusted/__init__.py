"""Reads what may be damaged, or made to harm: each piece is checked before it is used.

schemas        what plain JSON must be: numbers, texts, lists, objects of given names
json_files     JSON of bounded size, finite numbers, no name twice
array_files    safetensors, whose headers are held against the file before memory is taken
arrays         what the numbers of an array or a CSR matrix must be

Everything here raises DamagedError with a short reason; the caller names the file and the cure.
"""

from isotherm.untrusted.array_files import ArraysFile, Header
from isotherm.untrusted.arrays import check_ascending, check_csr, check_finite, check_range, csr
from isotherm.untrusted.json_files import MOST_JSON, parse_json, read_json
from isotherm.untrusted.schemas import (
    Choice,
    DamagedError,
    Digest,
    Distinct,
    Each,
    Number,
    Or,
    Whole,
    expect,
    numbers,
    same_names,
)

__all__ = [
    "MOST_JSON",
    "ArraysFile",
    "Choice",
    "DamagedError",
    "Digest",
    "Distinct",
    "Each",
    "Header",
    "Number",
    "Or",
    "Whole",
    "check_ascending",
    "check_csr",
    "check_finite",
    "check_range",
    "csr",
    "expect",
    "numbers",
    "parse_json",
    "read_json",
    "same_names",
]
