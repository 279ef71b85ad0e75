"""What a command will write, checked before any work: it can be written, and costs nothing that is there."""

import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from isotherm.cli.options import ResultFiles
from isotherm.errors import OutputError, shown_path
from isotherm.files import check_file, sha256
from isotherm.folders import MODEL, FolderKind, check_folder

Inputs = Mapping[str, Path | list[Path] | None]  #: option -> what it names; a folder, a file or a pattern
_PLACE = "name another place"


@dataclass(frozen=True)
class OutputFile:
    """A file that an option names. suffixes: one of them must end its name."""

    option: str
    path: Path | None
    suffixes: tuple[str, ...]

    def check(self) -> None:
        """Raise OutputError where it cannot be written."""
        assert self.path is not None
        if self.path.suffix not in self.suffixes:
            endings = ", ".join(self.suffixes)
            raise OutputError(f"{self.option} {shown_path(self.path)}: a file ending in {endings} is needed")
        check_file(self.path)


@dataclass(frozen=True)
class OutputFolder:
    """A folder that an option names. kind: what may be in it already."""

    option: str
    path: Path | None
    kind: FolderKind

    def check(self) -> None:
        """Raise the kind's error where it cannot be written."""
        assert self.path is not None
        check_folder(self.path, self.kind)


Output = OutputFile | OutputFolder


def results(files: ResultFiles) -> tuple[OutputFile, OutputFile]:
    """What --json and --report name."""
    json = OutputFile("--json", files.json, (".json",))
    return json, OutputFile("--report", files.report, (".html", ".htm"))


def saved_model(folder: Path) -> Path | None:
    """A model's folder as an input; where no model is in it, loading will say so."""
    return folder if (folder / MODEL.manifest).exists() else None


def content_digest(source: Path | None) -> str | None:
    """SHA-256 of what an input holds: a file, or the files of a folder or pattern by name; None for None."""
    if source is None:
        return None
    found = [source] if os.path.lexists(source) else sorted(map(Path, _matches(source)))
    inside = [sorted(each.rglob("*")) if each.is_dir() else [each] for each in found]
    files = [file for each in inside for file in each if file.is_file()]
    if files == [source]:
        return sha256(source)
    names = "".join(f"{sha256(file)} {file.name}\n" for file in files)
    return hashlib.sha256(os.fsencode(names)).hexdigest()


def encoders(settings: Mapping[str, Any]) -> list[Path]:
    """The folders of encoders that settings name: inputs as well."""
    return [
        Path(value)
        for name, value in settings.items()
        if name.rpartition(".")[2] in ("text_model", "image_model") and isinstance(value, str) and value
    ]


def check_outputs(inputs: Inputs, *outputs: Output) -> None:
    """Raise OutputError where an output cannot be written, or would cost an input or another output.

    No output may be an input, or lie inside one; no input or output may lie inside an output folder. Links
    and hard links count as what they lead to.
    """
    wanted = [output for output in outputs if output.path is not None]
    for output in wanted:
        output.check()
    for number, output in enumerate(wanted):
        for other in wanted[:number]:
            _apart(output, other)
        for option, path in _named(inputs):
            _away(output, option, path)


def _named(inputs: Inputs) -> Iterator[tuple[str, Path]]:
    for option, paths in inputs.items():
        for path in paths if isinstance(paths, list) else [paths]:
            if path is not None:
                yield option, path


def _apart(output: Output, other: Output) -> None:
    """Two outputs are two places, neither within the other."""
    assert output.path is not None
    assert other.path is not None
    if _same(output.path, other.path):
        raise OutputError(
            f"{output.option} {shown_path(output.path)}: {other.option} names the same; {_PLACE}"
        )
    for inner, outer in ((output, other), (other, output)):
        assert inner.path is not None
        assert outer.path is not None
        if isinstance(outer, OutputFolder) and _inside(inner.path, outer.path):
            raise OutputError(
                f"{inner.option} {shown_path(inner.path)}: lies inside {outer.option} "
                f"{shown_path(outer.path)}; {_PLACE}"
            )


def _away(output: Output, option: str, source: Path) -> None:
    """An output is no input, lies in none, and holds none."""
    path = output.path
    assert path is not None
    read = [source] if os.path.lexists(source) else [Path(name) for name in _matches(source)]
    shown = f"{output.option} {shown_path(path)}"
    if any(_same(path, each) for each in read):
        raise OutputError(f"{shown}: is what {option} reads; {_PLACE}")
    for each in read:
        if each.is_dir() and (_inside(path, each) or _leads_to(each, path)):
            raise OutputError(f"{shown}: lies inside {option} {shown_path(each)}, which is read; {_PLACE}")
        if isinstance(output, OutputFolder) and _inside(each, path):
            raise OutputError(f"{shown}: holds {option} {shown_path(each)}, which is read; {_PLACE}")
    if _would_match(output, source):
        raise OutputError(f"{shown}: is what {option} reads; {_PLACE}")


def _matches(pattern: Path) -> Iterable[str]:
    return glob.glob(str(pattern), recursive=True) if any(letter in str(pattern) for letter in "*?[") else ()


def _would_match(output: Output, source: Path) -> bool:
    """Whether a pattern would read, the next time, what is not there yet."""
    if source.exists() or not any(map(glob.has_magic, source.parts)):
        return False
    assert output.path is not None
    parts = (Path.cwd() / source).parts
    first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    above, path = os.path.realpath(Path(*parts[:first])), Path(os.path.realpath(output.path))
    if not path.is_relative_to(above):
        return False
    below = path.relative_to(above).parts
    files = [(*below, name) for name in output.kind.names()] if isinstance(output, OutputFolder) else [below]
    return any(_matches_parts(file, parts[first:]) for file in files)


def _matches_parts(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """What ``glob`` makes of a pattern, on names: ``**`` is any number of folders."""
    if not pattern or not names:
        return not names and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches_parts(names, pattern[1:]) or _matches_parts(names[1:], pattern)
    return fnmatchcase(names[0], pattern[0]) and _matches_parts(names[1:], pattern[1:])


def _same(first: Path, second: Path) -> bool:
    """Whether both names lead to one place, which need not be there."""
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _inside(path: Path, folder: Path) -> bool:
    return any(_same(above, folder) for above in Path(os.path.realpath(path)).parents)


def _leads_to(folder: Path, path: Path) -> bool:
    """Whether a file below ``folder`` is a link, or a hard link, to the file ``path``."""
    try:
        told = os.stat(path)
        if not stat.S_ISREG(told.st_mode):
            return False
        return any(os.path.samestat(told, each.stat()) for each in folder.rglob("*") if each.is_file())
    except OSError:
        return False
