"""The least that a server of lists does: FastAPI, a checked body, a list from somewhere. An app for uvicorn.

SHELL_ANSWERS says where lists come from: constant (one list of 20), isotherm (the whole app of ``isotherm
serve``, with a constant list in the place of the model), als, als-known and cosine (implicit's ``recommend``,
which need an environment with it and without isotherm).
"""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
N_ITEMS = int(os.environ.get("SHELL_ITEMS", "20108"))
N_USERS, LENGTH, FACTORS = 5000, 50, 128
Lists = Callable[[list[int], int], list[dict[str, Any]]]


def rows(items: Any, scores: Any) -> list[dict[str, Any]]:
    """A list as it is answered."""
    pairs = enumerate(zip(items, scores, strict=True), 1)
    return [{"item_id": item, "score": score, "rank": rank, "cold": False} for rank, (item, score) in pairs]


def constant() -> Lists:
    """Always the same list."""
    answer = rows(range(20), [1.0 - n / 20 for n in range(20)])
    return lambda history, k: answer


def of_implicit(kind: str) -> Lists:
    """Lists of implicit: als folds the history in, als-known looks a user up, cosine adds up neighbours."""
    import numpy as np
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(N_USERS), LENGTH), rng.integers(0, N_ITEMS, N_USERS * LENGTH)
    log = csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=(N_USERS, N_ITEMS))
    if kind == "cosine":
        model: Any = CosineRecommender(K=100, num_threads=1)
    else:
        model = AlternatingLeastSquares(factors=FACTORS, iterations=1, num_threads=1, use_gpu=False)
    model.fit(log, show_progress=False)

    def lists(history: list[int], k: int) -> list[dict[str, Any]]:
        arrays = np.ones(len(history), dtype=np.float32), np.array(history), np.array([0, len(history)])
        clicks = csr_matrix(arrays, shape=(1, N_ITEMS))
        found = model.recommend(history[0] % N_USERS, clicks, N=k, recalculate_user=kind == "als")
        return rows(found[0].tolist(), found[1].tolist())

    return lists


def shell_app(lists: Lists) -> Any:
    """One route, and nothing else."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        history: list[int]
        k: int = 10

    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/recommend")
    async def recommend(asked: Asked) -> dict[str, Any]:
        items = lists(asked.history, asked.k)
        return {"items": items, "answered_by": "model", "model": "shell", "unknown": 0}

    return app


def isotherm_app() -> Any:
    """Ours, whose shared model answers with a constant list, after the database was asked for changes."""
    from pathlib import Path

    from isotherm.serving.app.factory import create_app
    from isotherm.serving.database import Database
    from isotherm.serving.live.requests import Answer, Shown
    from isotherm.serving.shared.shared import SharedModel

    folder = Path(os.environ["SHELL_FOLDER"])
    database = Database.open(f"sqlite:///{folder / 'shell.db'}")
    shared: Any = SharedModel.open(str(folder / "small"), database)
    items = [Shown(n, 1.0 - n / 20, n + 1, False, f"Title {n}") for n in range(20)]
    answer = Answer(items, "model", "shell", 0)

    def constant_list(*_: Any) -> Answer:
        shared.snapshot  # noqa: B018  reads what is new
        return answer

    shared.recommend = constant_list
    return create_app(shared)


def app() -> Any:
    """The app that SHELL_ANSWERS names."""
    kind = os.environ["SHELL_ANSWERS"]
    if kind == "isotherm":
        return isotherm_app()
    return shell_app(constant() if kind == "constant" else of_implicit(kind))
