"""A long run of a server of two workers under changes: every answer is held against the rules.

Users click, items are added, changed, hidden, deleted, and shown for a while; the model is swapped twice. A
rule counts from when its change was acknowledged, by whichever worker, until the next change of the same item
is sent. At the end the events in the database are those that were acknowledged.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import report, size, uniform_clicks
from drawn_models import drawn_marec, item_table
from http_load import Connection, request
from scipy.sparse import csr_array
from servers import Server, isotherm_serve, memory

from isotherm import Interactions, progress
from isotherm.data import Items
from isotherm.serving.database import Database

N_REQUESTS = size(200_000, 400)
N_ITEMS, N_USERS, LENGTH, WORKERS, CLIENTS = size(20_108, 200), size(5000, 40), size(50, 5), size(2, 1), 8
N_COLD = N_ITEMS // 20
MOST_ADDED = size(40, 4)  # items that are there at one time beside those of the fit
GENRES = [f"g{n}" for n in range(19)]
POOL = 100  # items that are hidden now and then, and as many that are shown for a while
#: what is done, and how often of a thousand times
SHARES = {
    "user": 420,
    "history": 420,
    "click": 120,
    "hide": 15,
    "window": 15,
    "add": 4,
    "change": 3,
    "delete": 3,
}


@dataclass
class Rules:
    """What has been acknowledged. Times are of the client's clock, seconds since 1970.

    cold: items of the fit without a click.
    hidden: item -> since when.  windows: item -> since when it is said, opens, closes.
    genres: item -> since when, and which; of the items that were put.
    clicked: user -> item -> since when.
    """

    base: dict[int, set[str]]
    cold: set[int]
    hidden: dict[int, float] = field(default_factory=dict)
    windows: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    genres: dict[int, tuple[float, set[str]]] = field(default_factory=dict)
    clicked: dict[int, dict[int, float]] = field(default_factory=dict)

    def broken(self, asked: dict[str, Any], answer: dict[str, Any], sent: float, come: float) -> list[str]:
        """The rules that a list breaks."""
        items = [shown["item_id"] for shown in answer["items"]]
        clicked = self.clicked.get(asked.get("user", -1), {})
        wrong = ["twice"] if len(set(items)) < len(items) else []
        for shown, item in zip(answer["items"], items, strict=True):
            since, opens, closes = self.windows.get(item, (np.inf, 0.0, 0.0))
            checks = {
                "hidden": self.hidden.get(item, np.inf) <= sent,
                "expired": since <= sent and closes <= sent,
                "not open": since <= sent and opens > come,
                "seen": clicked.get(item, np.inf) <= sent or item in asked.get("history", []),
                "excluded": item in asked.get("exclude", []),
                "filtered": self._lacks(item, asked, sent),
                "new or not": shown["cold"] != (item in self.cold or item >= N_ITEMS),
            }
            wrong += [name for name, is_broken in checks.items() if is_broken]
        return wrong + self._wrong_list(asked, answer)

    def _lacks(self, item: int, asked: dict[str, Any], sent: float) -> bool:
        """Whether an item has none of the genres that are asked for."""
        wanted = asked.get("filters", {}).get("genres")
        if wanted is None:
            return False
        since, genres = self.genres.get(item, (0.0, self.base.get(item, set(wanted))))
        return since <= sent and not genres & set(wanted)

    def _wrong_list(self, asked: dict[str, Any], answer: dict[str, Any]) -> list[str]:
        """What is wrong with the list as a whole."""
        items, cold = answer["items"], asked.get("cold", {})
        n_cold, is_free = sum(shown["cold"] for shown in items), "filters" not in asked
        checks = {
            "short": is_free and len(items) != asked["k"],
            "ranks": [shown["rank"] for shown in items] != list(range(1, len(items) + 1)),
            "too few new": is_free and n_cold < cold.get("min", 0),
            "too many new": n_cold > cold.get("max", asked["k"]),
            "unknown": answer["unknown"] > int("user" in asked),
        }
        return [name for name, is_broken in checks.items() if is_broken]


class Soak:
    """The clients of one server.  models: folders that are swapped to, one after the other."""

    def __init__(self, server: Server, items: Items, log: csr_array, models: Sequence[Path]) -> None:
        self.server, self.rng = server, np.random.default_rng(11)
        genres = items.to_frame()["genres"].to_list()
        seen = np.split(log.indices, log.indptr[1:-1])
        clicked = {user: dict.fromkeys(each.tolist(), 0.0) for user, each in enumerate(seen)}
        cold = set(range(N_ITEMS)) - set(log.indices.tolist())
        self.rules = Rules({n: set(each) for n, each in enumerate(genres)}, cold, clicked=clicked)
        self.pool: list[int] = []
        self.broken: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.events: set[str] = set()
        self.repeated, self.refused = 0, 0
        self.added: list[int] = []
        self.busy: set[int] = set()
        self.n_added, self.swaps = 0, list(models)
        self.anonymous: list[int] = []

    async def run(self) -> float:
        """All requests; the seconds they took."""
        connections = [await Connection.to(self.server.port) for _ in range(CLIENTS)]
        started = time.perf_counter()
        await asyncio.gather(*map(self._client, connections))
        self.anonymous.append(self._memory())
        return time.perf_counter() - started

    def _memory(self) -> int:
        return memory(self.server.workers, "Pss_Anon")

    async def _client(self, connection: Connection) -> None:
        kinds, shares = list(SHARES), np.array(list(SHARES.values())) / sum(SHARES.values())
        deeds: dict[str, Callable[[Connection], Awaitable[None]]] = {
            kind: getattr(self, f"_{kind}") for kind in kinds
        }
        while (n := self.asked.total()) < N_REQUESTS:
            if n >= N_REQUESTS * (len(self.anonymous) + 1) // 10:
                self.anonymous.append(self._memory())
            if self.swaps and n > N_REQUESTS * (3 - len(self.swaps)) // 3:
                await self._told(
                    connection, "swap", "POST", "/v1/model/swap", {"path": str(self.swaps.pop(0))}
                )
            kind = kinds[int(self.rng.choice(len(kinds), p=shares))]
            await deeds[kind](connection)

    async def _told(self, connection: Connection, kind: str, method: str, path: str, body: Any) -> Any:
        """The answer to a request; one that is no success is counted as broken."""
        self.asked[kind] += 1
        status, read = await connection.ask(request(method, path, body))
        if status != 200:
            self.broken[f"{kind}: {status} {read[:200]!r}"] += 1
            return None
        return json.loads(read)

    # lists

    async def _user(self, connection: Connection) -> None:
        await self._list(connection, {"user": int(self.rng.integers(2 * N_USERS))})

    async def _history(self, connection: Connection) -> None:
        items = self.rng.choice(N_ITEMS - N_COLD, LENGTH, replace=False).tolist()
        await self._list(connection, {"history": items})

    async def _list(self, connection: Connection, asked: dict[str, Any]) -> dict[str, Any] | None:
        asked["k"] = int(self.rng.integers(1, 21))
        draw = self.rng.random(3)
        if draw[0] < 0.2:
            asked["exclude"] = self.rng.choice(N_ITEMS, LENGTH, replace=False).tolist()
        if draw[1] < 0.2:
            asked["filters"] = {"genres": self.rng.choice(GENRES, 2, replace=False).tolist()}
        if draw[2] < 0.2:
            least = int(self.rng.integers(0, asked["k"] + 1))
            asked["cold"] = {"min": least, "max": int(self.rng.integers(least, asked["k"] + 1))}
        sent = time.time()
        answer: dict[str, Any] | None = await self._told(connection, "list", "POST", "/v1/recommend", asked)
        if answer is not None:
            self.broken.update(self.rules.broken(asked, answer, sent, time.time()))
            if len(self.pool) < 2 * POOL:
                shown = [each["item_id"] for each in answer["items"] if each["item_id"] < N_ITEMS]
                self.pool += [item for item in dict.fromkeys(shown) if item not in self.pool]
        return answer

    # events

    async def _click(self, connection: Connection) -> None:
        """A user clicks what is first in the list; now and then an event is sent twice."""
        user = int(self.rng.integers(2 * N_USERS))
        answer = await self._list(connection, {"user": user})
        if not answer or not answer["items"]:
            return
        item, name = answer["items"][0]["item_id"], f"event {self.asked.total()}"
        event = {"id": name, "type": "click", "user": user, "item": item, "time": time.time()}
        for _ in range(2 if self.rng.random() < 0.1 else 1):
            counts = await self._told(connection, "event", "POST", "/v1/events", [event])
            if counts is not None:
                self.repeated += counts["repeated"]
                self.refused += counts["refused"]
                self.events.add(name)
                self.rules.clicked.setdefault(user, {})[item] = time.time()

    # items

    async def _put(self, connection: Connection, kind: str, item: int, body: Any) -> bool:
        """Whether a change of an item was taken; nothing counts of it between the two."""
        for known in (self.rules.hidden, self.rules.windows, self.rules.genres):
            known.pop(item, None)
        if body is None:
            return await self._told(connection, kind, "DELETE", f"/v1/items/{item}", None) is not None
        return await self._told(connection, kind, "PUT", f"/v1/items/{item}", body) is not None

    async def _changed(self, item: int, change: Callable[[], Awaitable[None]]) -> None:
        """One change of an item at a time."""
        if item not in self.busy:
            self.busy.add(item)
            await change()
            self.busy.discard(item)

    async def _hide(self, connection: Connection) -> None:
        """Hide one of the items that were shown, or show it again."""
        if not self.pool:
            return
        item = self.pool[int(self.rng.integers(min(POOL, len(self.pool))))]

        async def change() -> None:
            hidden = item not in self.rules.hidden
            if await self._put(connection, "hide", item, {"hidden": hidden}) and hidden:
                self.rules.hidden[item] = time.time()

        await self._changed(item, change)

    async def _window(self, connection: Connection) -> None:
        """Show an item from soon until little later."""
        if len(self.pool) <= POOL:
            return
        item = self.pool[int(self.rng.integers(POOL, len(self.pool)))]

        async def change() -> None:
            opens = time.time() + float(self.rng.normal(0, 0.3))
            closes = opens + float(self.rng.exponential(0.5)) + 0.001
            body = {"available_from": opens, "available_until": closes}
            if await self._put(connection, "window", item, body):
                self.rules.windows[item] = time.time(), opens, closes

        await self._changed(item, change)

    async def _add(self, connection: Connection) -> None:
        if len(self.added) >= MOST_ADDED:
            await self._delete(connection)
            return
        self.n_added += 1
        item = 10 * N_ITEMS + self.n_added
        await self._named(connection, "add", item)
        self.added.append(item)
        asked = {"history": [1, 2, 3], "candidates": [item], "k": 1}
        answer = await self._told(connection, "list", "POST", "/v1/recommend", asked)
        self.broken["new item not shown"] += answer is not None and not answer["items"]

    async def _change(self, connection: Connection) -> None:
        if self.added:
            item = self.added[int(self.rng.integers(len(self.added)))]
            await self._changed(item, lambda: self._named(connection, "change", item))

    async def _named(self, connection: Connection, kind: str, item: int) -> None:
        genres = self.rng.choice(GENRES, 2, replace=False).tolist()
        metadata = {"title": f"{kind} {self.asked.total()}", "genres": genres, "tags": ["t1"]}
        if await self._put(connection, kind, item, {"metadata": metadata}):
            self.rules.genres[item] = time.time(), set(genres)

    async def _delete(self, connection: Connection) -> None:
        if not self.added or self.added[0] in self.busy:
            return
        item = self.added.pop(0)

        async def change() -> None:
            if await self._put(connection, "delete", item, None):
                self.rules.hidden[item] = time.time()

        await self._changed(item, change)


def models(folder: Path, items: Items, log: csr_array) -> list[Path]:
    """Two that differ in their weights."""
    for seed in (1, 2):
        drawn_marec(Interactions.from_csr(log), items, seed).save(folder / f"model{seed}")
    return [folder / "model1", folder / "model2"]


def lost_events(database: Path, events: set[str], folder: Path) -> int:
    """Events that were acknowledged and are not kept, or kept and not acknowledged."""
    with Database.open(f"sqlite:///{database}", create=False) as opened:
        opened.export_events(folder)
    kept = pl.read_parquet(folder / "*.parquet")["event_id"].to_list()
    return len(events ^ set(kept)) + len(kept) - len(set(kept))


def main() -> None:
    progress.watch_with("silent")
    items, clicks = item_table(N_ITEMS), uniform_clicks(N_USERS, N_ITEMS - N_COLD, LENGTH)
    log = csr_array((clicks.data, clicks.indices, clicks.indptr), shape=(N_USERS, N_ITEMS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, second = models(folder, items, log)
        with isotherm_serve(first, folder / "soak.db", WORKERS) as server:
            soak = Soak(server, items, log, [second, first])
            seconds = asyncio.run(soak.run())
        lost = lost_events(folder / "soak.db", soak.events, folder / "events")
    for wrong, n in soak.broken.items():
        with suppress(BrokenPipeError):
            print(f"{n:6} {wrong}")
    early, late = soak.anonymous[0], soak.anonymous[-1]
    rows = [
        {"what": "requests", "measured": soak.asked.total()},
        {"what": "requests a second, beside whatever else ran", "measured": soak.asked.total() / seconds},
        {"what": "answers that broke a rule, or failed", "measured": soak.broken.total(), "target": "<= 0"},
        {"what": "events sent and acknowledged", "measured": len(soak.events)},
        {"what": "events lost", "measured": lost + soak.refused, "target": "<= 0"},
        {
            "what": "memory of the workers, at the end / after a tenth",
            "measured": late / early,
            "target": "<= 1.05",
        },
    ]
    by_tenth = [round(n_bytes / 2**20) for n_bytes in soak.anonymous]
    facts = {"asked": dict(soak.asked), "sent_twice": soak.repeated, "mebibytes_by_tenth": by_tenth}
    report("soak", rows, items=N_ITEMS, workers=WORKERS, **facts)


if __name__ == "__main__":
    main()
