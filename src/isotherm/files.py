"""Writes files whole or not at all, and finds out before the work whether they can be written.

A file is filled under a temporary name (``.NAME.<8 digits>.part``) and put in place in one step. Whoever is
killed on the way leaves a temporary file, which the next write of the same name clears: a lock tells the dead
from the living.
"""

import atexit
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from isotherm.errors import IsothermError, OutputError, shown_path

Address = str | os.PathLike[str]
Write = Callable[[Path], object]
DIGITS = 16  # of a file's SHA-256, in its name
_LONGEST = 200  # bytes of a name; a longer one would leave no room for what a temporary name adds
_DEEPEST = 200  # folders within folders; Python makes them one call within the other
_NO_LOCKS = {errno.ENOLCK, errno.EBADF, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


def write_atomically(path: Address, write: Write) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step.

    A link is followed and stays, a file that is replaced hands its permissions on. The old file stays whole
    until the new one is on disk; an error in ``write`` leaves nothing behind. Raises OutputError that names
    the file and the reason.
    """
    check_file(path)
    target = Path(os.path.realpath(path))
    with told(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_dead(target)
        temporary = filled(target.parent, target.name, write, _mode(target))
        put(temporary, target)
    return Path(path)


def write_json(path: Address, document: Any) -> Path:
    """Write plain JSON, whole or not at all. Raises ValueError where a number is not finite."""
    return write_atomically(path, json_writer(document))


def streamed(write: Callable[[BinaryIO], object]) -> Write:
    """For writers that cannot take every file name of the system: they get an open file."""

    def fill(file: Path) -> None:
        with open(file, "wb") as stream:
            write(stream)

    return fill


def sha256(path: Address) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def named_by_content(folder: Path, name: str, suffix: str, write: Write) -> str:
    """Let ``write`` fill a file in ``folder``, named by its content: NAME-<16 digits of SHA-256>SUFFIX."""
    with told(folder / f"{name}{suffix}"):
        _clear_dead(folder / name)
        temporary = filled(folder, name, write)
        final = f"{name}-{sha256(temporary)[:DIGITS]}{suffix}"
        put(temporary, folder / final)
    return final


def is_whole(file: Path) -> bool:
    """Whether the content of a file that is named by its content is still what its name says."""
    return file.is_file() and file.stem.endswith(f"-{sha256(file)[:DIGITS]}")


def cache_folder() -> Path:
    """ISOTHERM_CACHE, else XDG_CACHE_HOME/isotherm, else ~/.cache/isotherm, else a temporary folder."""
    if os.environ.get("ISOTHERM_CACHE"):
        return Path(os.environ["ISOTHERM_CACHE"])
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isotherm"
    except RuntimeError:  # a user without a name and without HOME, as in many containers
        return private_folder()


_TEMPORARY = ("/tmp", "/var/tmp", "/usr/tmp", "TMPDIR", "TEMP", "TMP")  # folders, and variables that name one


def private_folder() -> Path:
    """A folder below the temporary one that only this user can enter, the same for the next process.

    In a temporary folder that all may write, somebody else may have made the name before: then a fresh one.
    Raises FileNotFoundError where no temporary folder can be written.
    """
    above = tempfile.gettempdir()
    if above == os.getcwd() and above not in _TEMPORARY and above not in map(os.environ.get, _TEMPORARY):
        raise FileNotFoundError(
            "no temporary folder can be written"
        )  # Python's last resort is where we stand
    folder = Path(above) / f"isotherm-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    try:
        found = folder.lstat()
    except OSError:
        return _fresh_folder()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if ours and os.access(folder, os.W_OK | os.X_OK) else _fresh_folder()


@cache
def _fresh_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="isotherm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def check_file(path: Address) -> None:
    """Raise OutputError where a file cannot be written to ``path``: found out before the work."""
    path = Path(path)
    check_names(path, OutputError)
    found = status(path, OutputError)
    if found is None:
        check_parent(path, OutputError)
    elif stat.S_ISDIR(found.st_mode):
        raise OutputError(f"{shown_path(path)}: is a folder; name a file")
    elif not stat.S_ISREG(found.st_mode):
        raise OutputError(f"{shown_path(path)}: is no regular file (a device, pipe or socket); name a file")
    elif not os.access(path, os.W_OK):
        raise OutputError(f"{shown_path(path)}: is write-protected; name another file")
    else:
        check_parent(Path(os.path.realpath(path)), OutputError)


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold ``folder`` (made where it is absent) against every other ``locked``, in any process.

    The lock is on the folder itself: no file is left, and reading needs none. Yields whether the file system
    has locks. Raises BlockingIOError where another holds it and ``wait`` is false.
    """
    while True:
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            holder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            has_locks = _flock(holder, wait)
            if not _is_at(holder, folder):  # removed while we waited
                continue
            yield has_locks
            return
        finally:
            os.close(holder)


def finite(document: Any) -> Any:
    """The same as plain JSON has it: numbers that are not finite are null."""
    if isinstance(document, float):
        return float(document) if math.isfinite(document) else None
    if isinstance(document, Mapping):
        return {key: finite(each) for key, each in document.items()}
    return [finite(each) for each in document] if isinstance(document, list | tuple) else document


def json_writer(document: Any) -> Write:
    """Fills a file with plain JSON. Raises ValueError where a number is not finite."""
    return text_writer(json.dumps(document, indent=1, allow_nan=False) + "\n")


def text_writer(text: str) -> Write:
    """Fills a file with text; what names a file in undecodable bytes is written as it is shown."""
    content = text.encode("utf-8", errors="backslashreplace")
    return lambda file: file.write_bytes(content)


def _copy(source: Path) -> Write:
    return lambda file: file.write_bytes(source.read_bytes())


def filled(folder: Path, name: str, write: Write, mode: int | None = None) -> Path:
    """A temporary file in ``folder`` that ``write`` has filled, on disk; removed where that fails.

    It is locked while it is filled, so that others can tell it from one that a killed process left.
    """
    while True:
        temporary = folder / f".{_short(name)}.{secrets.token_hex(4)}.part"
        holder = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        _flock(holder)
        if _is_at(holder, temporary):
            break
        os.close(holder)  # taken for a dead one before it was locked
    try:
        allowed = stat.S_IMODE(os.fstat(holder).st_mode) if mode is None else mode
        write(temporary)
        with open(temporary, "rb+") as file:  # safetensors puts a file of its own there, for its owner alone
            os.fchmod(file.fileno(), allowed)
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(holder)
    return temporary


def put(temporary: Path, target: Path) -> None:
    """Put a filled file in place in one step, for good."""
    try:
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in ``folder`` on disk."""
    holder = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot
            os.fsync(holder)
    finally:
        os.close(holder)


def _clear_dead(target: Path) -> None:
    """Remove the temporary files of ``target`` that nobody is filling."""
    for part in parts_of(target.parent, target.name):
        with suppress(OSError):
            holder = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _flock(holder, wait=False) and _is_at(holder, part):
                    part.unlink(missing_ok=True)
            finally:
                os.close(holder)


def parts_of(folder: Path, name: str) -> list[Path]:
    """The temporary files of ``name``."""
    pattern = re.compile(rf"\.{re.escape(_short(name))}\.[0-9a-f]{{8}}\.part")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [folder / each for each in names if pattern.fullmatch(each) and is_regular(folder / each)]


def _short(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST else hashlib.sha256(encoded).hexdigest()[:DIGITS]


def _flock(holder: int, wait: bool = True) -> bool:
    """Lock an open file or folder; False where its file system has no locks."""
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as cause:
        if cause.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_at(holder: int, path: Path) -> bool:
    """Whether the open file ``holder`` is what lies at ``path``."""
    try:
        return os.path.samestat(os.fstat(holder), os.stat(path))
    except FileNotFoundError:
        return False


def is_regular(path: Path) -> bool:
    """Whether a plain file lies there, no link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _mode(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


@contextmanager
def told(path: Address) -> Iterator[None]:
    """Errors of the system, also those that a library wrapped, as an OutputError that names ``path``."""
    try:
        yield
    except IsothermError:
        raise
    except Exception as cause:
        number = _error_number(cause)
        if number is None:
            raise
        raise OutputError(refusal(path, number)) from cause


def _error_number(cause: Exception) -> int | None:
    if isinstance(cause, OSError) and cause.errno is not None:
        return cause.errno
    wrapped = re.search(r"\(os error (\d+)\)", str(cause))  # as polars and safetensors word it
    return int(wrapped[1]) if wrapped else None


_CURES = {
    errno.ENOSPC: "free some space, or name another place",
    errno.EDQUOT: "free some space, or name another place",
    errno.EFBIG: "raise the limit of file sizes, or name another place",
    errno.ENAMETOOLONG: "give it a shorter name",
}


def refusal(path: Address, number: int) -> str:
    """The message for a path that cannot be written, by the system's error number, with the cure."""
    cure = _CURES.get(number, "name a place that can be written")
    return f"{shown_path(path)}: cannot be written ({os.strerror(number)}); {cure}"


def status(path: Path, error: type[IsothermError]) -> os.stat_result | None:
    """What lies at ``path``, links followed, or None. Refuses a link that leads nowhere."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise error(
                f"{shown_path(path)}: is a link to {shown_path(os.readlink(path))}, which does not exist; "
                "make that, or name another"
            ) from None
        return None
    except OSError as cause:
        number = cause.errno or 0
        if number == errno.ELOOP:
            raise error(f"{shown_path(path)}: is a link that leads in a circle; name another") from cause
        raise error(refusal(path, number)) from cause


def check_names(path: Path, error: type[IsothermError]) -> None:
    """Refuse what no file system takes."""
    if "\0" in str(path):
        raise error(f"{shown_path(path)}: holds a NUL character; give it another name")
    longest = max((len(os.fsencode(name)) for name in path.parts), default=0)
    if longest > 255 or len(os.fsencode(path)) > 4095 or len(path.parts) > _DEEPEST:
        raise error(refusal(path, errno.ENAMETOOLONG))


def check_parent(path: Path, error: type[IsothermError]) -> None:
    """Refuse where the nearest folder above ``path`` that exists is none, or cannot be written."""
    above = next(folder for folder in Path(os.path.abspath(path)).parents if os.path.lexists(folder))
    found = status(above, error)
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise error(
            f"{shown_path(path)}: cannot be written, because {shown_path(above)} is a file; "
            "name another place"
        )
    check_writable(above, path, error)


def check_writable(folder: Path, path: Path, error: type[IsothermError]) -> None:
    """Make a file in ``folder`` and remove it: permission bits alone do not tell."""
    probe = folder / f".{secrets.token_hex(8)}.part"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        probe.unlink()
    except OSError as cause:
        raise error(refusal(path, cause.errno or 0)) from cause
