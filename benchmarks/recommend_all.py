"""Lists for everybody: peak memory over the model and users a second, by blocks and all at once; kill -9.

Ten times as many users in the larger log: by blocks, the peak must not follow. Its lists are written as a
folder of parts, by a process that is killed halfway and by one that goes on; at once is for the smaller log
alone. item-knn, because its fit is quick; scoring dense rows and ranking them, which is what costs, is the
same for every model.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from common import peak_memory, report, size, synthetic_clicks

from isotherm import Interactions, ItemKNN, load, progress
from isotherm.models.bulk.list_file import write_list_file
from isotherm.models.bulk.parts import ListParts
from isotherm.models.requests.blocks import default_block

N_ITEMS, K = size(20_000, 100), 20
N_USERS = size([100_000, 1_000_000], [200, 800])
BLOCK = size(None, 100)  # users of a part; None for the command's own


def writing(folder: str, way: str) -> Callable[[], tuple[float, int]]:
    """What loads a model, and then writes the lists of its users; seconds, and lists that were written."""
    progress.watch_with("silent")
    model = load(folder)
    path = Path(folder).parent / way
    model.recommend(model.users_.values[:10], k=K)  # kernels are compiled

    def blocks(first: int = 0):
        return model.recommend_blocks(k=K, users_per_block=BLOCK, first_block=first)

    def write() -> tuple[float, int]:
        started, n = time.perf_counter(), len(model.users_)
        if way == "parts":
            with ListParts(path, {"-k": K}).held() as parts:
                n = sum(int((block["rank"] == 1).sum()) for block in parts.write(blocks))
        elif way == "by blocks":
            write_list_file(path.with_suffix(".parquet"), blocks())
        else:
            model.recommend(k=K).write_parquet(path.with_suffix(".parquet"))
        return time.perf_counter() - started, n

    return write


def fitted(n_users: int, folder: str) -> str:
    clicks = Interactions.from_csr(synthetic_clicks(n_users, N_ITEMS, 20 * n_users))
    ItemKNN(neighbours=50).fit(clicks).save(f"{folder}/model")
    return f"{folder}/model"


def killed_halfway(model: str, n_parts: int) -> int:
    """How many parts there are when the process that writes them is killed."""
    parts = Path(model).parent / "parts"
    process = subprocess.Popen([sys.executable, __file__, model])
    while process.poll() is None and len(list(parts.glob("part-*.parquet"))) < n_parts // 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return len(list(parts.glob("part-*.parquet")))


def row(what: str, measured: float, target: str | None = None, unit: str | None = None) -> dict[str, object]:
    return {"what": what, "measured": measured, "target": target} | ({} if unit is None else {"unit": unit})


def small_log(n: int) -> tuple[list[dict[str, object]], int]:
    """Rows, and the peak by blocks."""
    with tempfile.TemporaryDirectory() as folder:
        model, ways = fitted(n, folder), ("by blocks", "parts", "at once")
        found = {way: peak_memory(writing, model, way) for way in ways}
    rows = []
    for way, (peak, (seconds, _)) in found.items():
        target = None if way == "at once" else "<= 1024"
        rows.append(row(f"{n:,} users, {way}: peak over the model", peak / 2**20, target, "MiB"))
        rows.append(row(f"{n:,} users, {way}: users a second", n / seconds, unit="1/s"))
    ratio = found["at once"][1][0] / found["by blocks"][1][0]
    rows.append(row(f"{n:,} users: speed by blocks / at once", ratio, ">= 0.9"))
    return rows, found["parts"][0]


def large_log(n: int) -> tuple[list[dict[str, object]], int]:
    """Rows, and the peak of the process that goes on."""
    with tempfile.TemporaryDirectory() as folder:
        model = fitted(n, folder)
        n_before = killed_halfway(model, -(-n // (BLOCK or default_block(N_ITEMS, K))))
        peak, (seconds, n_lists) = peak_memory(writing, model, "parts")
        written = pl.scan_parquet(f"{folder}/parts/part-*.parquet")
        n_users = written.filter(pl.col("rank") == 1).select(pl.col("user_id").n_unique()).collect().item()
    what = f"{n:,} users, parts"
    return [
        row(f"{what}: there when the first process was killed", n_before, ">= 1"),
        row(f"{what}, going on: peak over the model", peak / 2**20, "<= 1024", "MiB"),
        row(f"{what}, going on: users a second", n_lists / seconds, unit="1/s"),
        row(f"{what}: users with one list / users", n_users / n, ">= 1"),
    ], peak


def main() -> None:
    progress.watch_with("silent")
    small, peak_of_small = small_log(N_USERS[0])
    large, peak_of_large = large_log(N_USERS[1])
    growth = (peak_of_large - peak_of_small) / (N_USERS[1] - N_USERS[0])
    each = row("growth of the peak for each user more", growth, unit="bytes")
    report("recommend_all", [*small, *large, each], items=N_ITEMS, k=K, clicks_per_user=20)


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        writing(sys.argv[1], "parts")()
    else:
        main()
