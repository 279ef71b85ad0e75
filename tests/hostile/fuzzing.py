"""Mutates saved models at random, hashes made right again, and sees what loading them does.

    python -m tests.hostile.fuzzing FOLDER SEED N

FOLDER holds saved models. A mutated one must be refused with ModelFolderError, or load and still answer,
read or mapped; where floats are not looked at, too, as far as an answer is one that says what is wrong.
Prints how many were refused and how many answered; a traceback, or a crash, is a failure.
"""

import hashlib
import json
import random
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl

import isotherm
from isotherm import progress
from isotherm.errors import IsothermError, ModelFolderError

HOSTILE = [
    None, True, False, -1, 0, 1, 2, 3, 10**15, 2**63, -(2**63), 10**299, 0.5, -0.0, 1e-300, 1e300, "", "x",
    "a" * 10_000, "../../x", "\u0000", "ease", [], {}, [0], [None], [[[]]], {"": 0}, {"model": "ease"},
]  # fmt: skip


def mutate(folder, rng):
    """Change one thing of the saved model in ``folder``; returns what."""
    kind = rng.choice(
        ["manifest", "manifest", "header", "header", "numbers", "numbers", "bytes", "ids", "cut"]
    )
    return kind, globals()[f"_{kind}"](folder, rng)


def _manifest(folder, rng):
    file = folder / "model.json"
    document = json.loads(file.read_text())
    place, key = rng.choice(list(_places(document)))
    value = place[key]
    how = rng.choice(["delete", "replace", "replace", "nudge", "rename", "copy"])
    if how == "delete":
        del place[key]
    elif how == "replace":
        place[key] = rng.choice(HOSTILE)
    elif how == "nudge":
        place[key] = _nudged(value, rng)
    elif how == "rename" and isinstance(place, dict):
        place[rng.choice(["x", "", str(key) + "_"])] = place.pop(key)
    else:
        other, at = rng.choice(list(_places(document)))
        place[key] = json.loads(json.dumps(other[at]))
    file.write_text(json.dumps(document))
    return how, str(key)


def _places(document):
    inside = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(inside):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _nudged(value, rng):
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice([value + 1, value - 1, value * 2, -value, value + 0.5])
    if isinstance(value, str):
        return rng.choice([value[1:], value + "x", value.upper()])
    if isinstance(value, list):
        return rng.choice([value[1:], value + value[:1], value[::-1]])
    return dict(reversed(value.items()))


def _header(folder, rng):
    header, data = _arrays(folder)
    name = rng.choice(list(header))
    how = rng.choice(["shape", "shape", "dtype", "offsets", "rename", "delete", "swap", "hostile"])
    told = header[name]
    if how == "shape":
        told["shape"] = rng.choice(
            [
                told["shape"][::-1],
                told["shape"][1:],
                [*told["shape"], 1],
                [60, 10**15],
                [n - 1 for n in told["shape"]],
            ]
        )
    elif how == "dtype":
        told["dtype"] = rng.choice(["F32", "I32", "F64", "I64", "BF16", "U8", "F16", "Z"])
    elif how == "offsets":
        told["data_offsets"] = [n + rng.choice([0, 0, -4, 4, 10**12]) for n in told["data_offsets"]]
    elif how == "rename":
        header[name + "x"] = header.pop(name)
    elif how == "delete":
        del header[name]
    elif how == "swap":
        other = rng.choice(list(header))
        header[name], header[other] = header[other], header[name]
    else:
        told[rng.choice(list(told))] = rng.choice(HOSTILE)
    _write_arrays(folder, header, data)
    return how, name


def _numbers(folder, rng):
    header, data = _arrays(folder)
    name = rng.choice(list(header))
    begin, end = header[name]["data_offsets"]
    dtype = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}[header[name]["dtype"]]
    array = np.frombuffer(data[begin:end], dtype).copy()
    how = rng.choice(["one", "one", "all", "shuffle", "sort", "reverse"])
    if not len(array):
        return how, name
    wrong = (
        [0, 1, -1, 7, 2**31 - 1, 10**8] if array.dtype.kind == "i" else [0, -1, np.nan, np.inf, 1e38, 1e-40]
    )
    if how == "one":
        array[rng.randrange(len(array))] = rng.choice(wrong)
    elif how == "all":
        array[:] = rng.choice(wrong)
    elif how == "shuffle":
        np.random.default_rng(rng.randrange(1000)).shuffle(array)
    else:
        array = np.sort(array) if how == "sort" else array[::-1].copy()
    _write_arrays(folder, header, data[:begin] + array.tobytes() + data[end:])
    return how, name


def _bytes(folder, rng):
    file = rng.choice(sorted(folder.iterdir()))
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 1, 4, 30])):
        content[rng.randrange(len(content))] = rng.randrange(256)
    _replace(folder, file, bytes(content))
    return file.name


def _cut(folder, rng):
    file = rng.choice(sorted(folder.iterdir()))
    content = file.read_bytes()
    content = content[: rng.randrange(len(content))] if rng.random() < 0.7 else content + b"\0" * 64
    _replace(folder, file, content)
    return file.name


def _ids(folder, rng):
    role = rng.choice(["users", "items"])
    file = next(folder.glob(f"{role}-*.parquet"))
    ids = pl.read_parquet(file)["id"]
    changed = rng.choice(
        [
            ids[1:], ids.extend_constant(None, 1), pl.concat([ids, ids[:1]]), ids[:0], ids.rename("x"),
            pl.Series("id", range(len(ids))), pl.Series("id", [[n] for n in range(len(ids))]),
            pl.Series("id", [None] * len(ids)), pl.Series("id", [0.5] * len(ids)),
            pl.Series("id", [float("nan"), *map(float, range(len(ids) - 1))]), ids.reverse(),
            pl.concat([ids[1:], ids[1:2]]),
        ]
    )  # fmt: skip
    temporary = folder / "x.parquet"
    changed.to_frame().write_parquet(temporary)
    content = temporary.read_bytes()
    temporary.unlink()
    _replace(folder, file, content)
    return role, str(changed.dtype), len(changed)


def _arrays(folder):
    content = next(folder.glob("arrays-*")).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return header, content[8 + length :]


def _write_arrays(folder, header, data):
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    _replace(folder, next(folder.glob("arrays-*")), len(head).to_bytes(8, "little") + head + data)


def _replace(folder, file, content):
    """Other content, under the name that it must have."""
    if file.suffix == ".json":
        file.write_bytes(content)
        return
    file.unlink()
    role = file.name.split("-")[0]
    fresh = f"{role}-{hashlib.sha256(content).hexdigest()[:16]}{file.suffix}"
    (folder / fresh).write_bytes(content)
    manifest = folder / "model.json"
    document = json.loads(manifest.read_text())
    document["files"][role] = fresh
    manifest.write_text(json.dumps(document))


def use(model, new_items):
    """Ask a model for everything that it can do."""
    users = model.users_.values.head(3)
    item = model.items_.values[0]
    for ask in (
        lambda: model.recommend(users, k=5),
        lambda: model.recommend_for([[item], []], k=3),
        lambda: model.similar_items(item, k=3),
        lambda: model.explain(users[0], item),
        lambda: model.add_items(new_items),
        lambda: model.recommend(users, k=5),
    ):
        try:
            ask()
        except IsothermError:
            continue


def main(folder, seed, n):
    """Mutate and load ``n`` times; a line per failure."""
    progress.watch_with("silent")
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    models = sorted(path.parent for path in folder.glob("[!w]*/model.json"))  # not the work of another run
    new_items = isotherm.Items.read(folder / "new.parquet", kinds={"plot": "text"})
    counts = {"refused": 0, "answered": 0, "failed": 0}
    work = folder / f"work-{seed}"
    for number in range(seed, seed + n):
        rng = random.Random(number)
        chosen = rng.choice(models)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(chosen, work)
        told = chosen.name, mutate(work, rng)
        how = {"mapped": number % 2 == 1, "verify": number % 3 > 0}
        print(number, told, how, file=sys.stderr, flush=True)  # the last line names what crashed
        try:
            use(isotherm.load(work, **how), new_items)
            counts["answered"] += 1
        except ModelFolderError as error:
            counts["refused" if len(str(error)) < 600 and "\n" not in str(error) else "failed"] += 1
        except BaseException as error:
            counts["failed"] += 1
            print("FAILED", number, told, how, f"{type(error).__name__}: {error}"[:300], flush=True)
            if n < 5:
                raise
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
