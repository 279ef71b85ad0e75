"""Lists for everybody: users a second and peak memory over the model, by blocks and all at once.

Four times as many users in the larger log: by blocks, the peak must not follow. item-knn, because its fit is
quick; scoring dense rows and ranking them, which is what costs, is the same for every model.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import peak_memory, report, size, synthetic_clicks

from isotherm import Interactions, ItemKNN, load, progress
from isotherm.models.bulk.list_file import write_list_file

N_ITEMS, K = size(20_000, 100), 20
N_USERS = size([100_000, 400_000], [200, 800])


def writing(folder: str, by_blocks: bool) -> Callable[[], float]:
    """What loads a model, and then writes the lists of all of its users; seconds of the writing."""
    progress.watch_with("silent")
    model = load(folder)
    path = Path(folder) / "lists.parquet"
    model.recommend(model.users_.values[:10], k=K)  # kernels are compiled

    def write() -> float:
        started = time.perf_counter()
        if by_blocks:
            write_list_file(path, model.recommend_blocks(k=K))
        else:
            model.recommend(k=K).write_parquet(path)
        return time.perf_counter() - started

    return write


def measured(n_users: int) -> dict[str, tuple[int, float]]:
    """Peak bytes over the model, and seconds, by blocks and at once."""
    with tempfile.TemporaryDirectory() as folder:
        clicks = Interactions.from_csr(synthetic_clicks(n_users, N_ITEMS, 20 * n_users))
        ItemKNN(neighbours=50).fit(clicks).save(f"{folder}/model")
        ways = {"by blocks": True, "at once": False}
        return {way: peak_memory(writing, f"{folder}/model", flag) for way, flag in ways.items()}


def main() -> None:
    progress.watch_with("silent")
    found = {n: measured(n) for n in N_USERS}
    rows = []
    for n, ways in found.items():
        for way, (peak, seconds) in ways.items():
            what, target = f"{n:,} users, {way}", "<= 1024" if way == "by blocks" else None
            rows.append(
                {"what": f"{what}: peak over the model", "measured": peak / 2**20, "unit": "MiB"}
                | {"target": target}
            )
            rows.append({"what": f"{what}: users a second", "measured": n / seconds, "unit": "1/s"})
        ratio = ways["at once"][1] / ways["by blocks"][1]
        rows.append(
            {"what": f"{n:,} users: speed by blocks / at once", "measured": ratio, "target": ">= 0.9"}
        )
    small, large = (found[n]["by blocks"][0] for n in (N_USERS[0], N_USERS[-1]))
    what = f"peak by blocks, {N_USERS[-1]:,} users / {N_USERS[0]:,}"
    rows.append({"what": what, "measured": large / small, "target": "<= 1.2"})
    report("recommend_all", rows, items=N_ITEMS, k=K, clicks_per_user=20)


if __name__ == "__main__":
    main()
