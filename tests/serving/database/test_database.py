"""What the database keeps, and what it says of it, on SQLite and on PostgreSQL alike."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from isotherm.errors import DatabaseError, ItemsError, ParameterError
from isotherm.serving.database import Database, Event, Exposure, History, StoredItem
from isotherm.serving.database.connections import writing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWKWARD = [
    "<script>alert('x')</script>",
    "日本 🎬🏳️‍🌈",
    "\u202eעברית\u200f",
    "nul \0 in it",
    '"; DROP TABLE items; --',
    "",
]


def click(event, user, item, seconds=0, kind="click"):
    return Event(event, kind, user, item, NOON + timedelta(seconds=seconds))


def test_items_come_back_as_they_were(database):
    metadata = {"title": "x" * 100_000, "lists": [AWKWARD, {"a": None}], "year": 1.5, "half": "\ud800"}
    metadata |= {text: text for text in AWKWARD}
    put = StoredItem("é🎬", metadata, NOON, NOON + timedelta(days=1), hidden=True)
    database.put_items([put])
    found = database.item("é🎬")
    assert (found.id, found.metadata, found.hidden) == (put.id, metadata, True)
    assert (found.available_from, found.available_until) == (NOON, NOON + timedelta(days=1))


def test_one_and_text_one_are_two(database):
    database.put_items([StoredItem(1, {"a": 1}), StoredItem("1", {"a": "1"})])
    database.add_events([click(1, 1, 1), click("1", "1", "1"), click("e", 1, "1", 1)])
    assert database.item(1).metadata == {"a": 1}
    assert database.item("1").metadata == {"a": "1"}
    assert database.history(1).clicks == ["1", 1]
    assert database.history("1").clicks == ["1"]


@pytest.mark.parametrize("item", [True, 1.5, None, "", "a\0b", "\ud800", "x" * 1001, 2**64, b"x"])
def test_what_is_no_id_is_refused(database, item):
    with pytest.raises(ItemsError, match="item"):
        database.put_items([StoredItem(item)])
    assert database.version() == 0
    assert database.add_events([click("e", "u", item)]).refused.keys() == {0}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (StoredItem(1, {"a": float("nan")}), "no JSON"),
        (StoredItem(1, {"a": {1, 2}}), "no JSON"),
        (StoredItem(1, {1: 2}), "field -> value"),
        (StoredItem(1, {"a": "x" * 4_000_000}), "at most 4,000,000"),
        (StoredItem(1, {}, NOON, NOON), "never be shown"),
        (StoredItem(1, {}, datetime(2026, 3, 1)), "no zone"),
        (StoredItem(1, {}, hidden=1), "true or false"),
    ],
)
def test_items_that_cannot_be_kept_say_why(database, item, words):
    with pytest.raises(ItemsError, match=words):
        database.put_items([StoredItem(2), item])
    assert database.item(2) is None


def test_an_item_stands_once_in_a_batch(database):
    with pytest.raises(ItemsError, match="stands twice"):
        database.put_items([StoredItem(1), StoredItem(2), StoredItem(1)])


def test_changes_are_followed(database):
    first = database.put_items([StoredItem(n, {"n": n}) for n in range(3)])
    seen = database.items_changed_since(0)
    assert ([item.id for item in seen.items], seen.version, seen.more) == ([0, 1, 2], first, False)
    hidden, deleted = database.hide([1, "only the model's"]), database.delete([2])
    with Database.open(database._engine.url.render_as_string(hide_password=False)) as other:
        changes = other.items_changed_since(first)
    found = {item.id: (item.hidden, item.deleted, item.metadata) for item in changes.items}
    assert found == {
        1: (True, False, {"n": 1}),
        "only the model's": (True, False, None),
        2: (False, True, None),
    }
    assert (changes.version, hidden < deleted) == (deleted, True)
    assert database.items_changed_since(deleted).items == []
    assert database.item(2) is None
    database.put_items([StoredItem(2, {"n": 22})])
    assert database.item(2).metadata == {"n": 22}
    database.hide([1], hidden=False)
    assert not database.item(1).hidden


def test_changes_come_by_pages_that_leave_nothing_out(database):
    database.put_items([StoredItem(n) for n in range(7)])
    for n in range(7, 12):
        database.put_items([StoredItem(n)])
    version, found, more = 0, [], True
    while more:
        changes = database.items_changed_since(version, most=3)
        version, more = changes.version, changes.more
        found += [item.id for item in changes.items]
    assert sorted(found) == list(range(12))
    assert version == database.version()


def test_the_item_table_leaves_out_what_is_deleted(database, monkeypatch):
    monkeypatch.setattr("isotherm.serving.database.database._PAGE", 2)
    database.put_items([StoredItem(n) for n in range(5)])
    database.delete([3])
    assert [[item.id for item in page] for page in database.item_table()] == [[0, 1], [2, 4]]


def test_events_are_counted(database):
    batch = [
        {"id": "a", "type": "click", "user": 1, "item": 2, "time": "2026-03-01T13:00:00+01:00"},
        {"id": "b", "type": "watch", "user": 1, "item": 2, "time": NOON.timestamp(), "value": 61.5},
        {"id": "a", "type": "click", "user": 9, "item": 9},
        {"id": "late", "type": "click", "user": 1, "item": 3, "time": "2026-02-01T00:00:00Z"},
        {"id": "ahead", "type": "click", "user": 1, "item": 4, "time": "2027-01-01T00:00:00Z"},
        {"id": "c", "type": "like", "user": 1, "item": 2},
        {"id": "d", "type": "click", "user": 1},
        {"id": "e", "type": "click", "user": 1, "item": 2, "time": "2026-03-01T13:00:00"},
        {"id": "f", "type": "watch", "user": 1, "item": 2, "value": float("inf")},
        {"id": "g", "type": "click", "user": 1, "item": 2, "where": "home"},
        {"id": "h", "type": "click", "user": 1, "item": 2, "time": 1e300},
        {"id": "i", "type": ["click"], "user": 1, "item": 2},
        "click",
    ]
    counts = database.add_events(batch, received=NOON)
    assert (counts.new, counts.repeated, counts.late, counts.future) == (4, 1, 1, 1)
    assert sorted(counts.refused) == [5, 6, 7, 8, 9, 10, 11, 12]
    assert all(word in counts.refused[7] for word in ("time", "no zone", "ISO 8601"))
    again = database.add_events(batch, received=NOON)
    assert (again.new, again.repeated, again.late, again.future) == (0, 5, 0, 0)
    assert database.history(1).clicks[0] in (2, 4)  # what is dated ahead counts from its receipt
    assert database.history(9) == History()


def test_a_batch_has_an_end(database):
    with pytest.raises(ParameterError, match="at most 10,000"):
        database.add_events([click(n, 1, 1) for n in range(10_001)])
    assert database.add_events([click(n, n % 7, n % 11) for n in range(10_000)]).new == 10_000
    assert database.add_events([]).new == 0


def test_the_order_of_a_batch_counts_where_times_do_not(database):
    dislike = Event("b", "dislike", 1, 7)
    batch = [Event("c", "click", 1, 7), dislike, Event("a", "click", 1, 8), Event("d", "click", 1, 6)]
    assert database.add_events([*batch, Event("c", "click", 1, 7)]).new == 4
    assert database.history(1) == History([6, 8], [7])


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["click", "dislike", "impression", "watch"]),
        st.sampled_from([1, "1", "ann"]),
        st.sampled_from([1, "1", 2, 3, "🎬"]),
        st.integers(-3, 9),
    ),
    max_size=25,
)


def reference(batches, user, kind, most):
    """A user's latest clicks or dislikes by their definition, one event after the other."""
    known, last = set(), {}
    for place, event in enumerate(event for batch in batches for event in batch):
        if event.id not in known:
            known.add(event.id)
            if event.user == user and event.type in ("click", "dislike"):
                key, moment = repr(event.item), (min(event.time or RECEIVED, RECEIVED), place)
                if key not in last or moment > last[key][0]:
                    last[key] = (moment, event.type, event.item)
    of_kind = [(moment, item) for moment, said, item in last.values() if said == kind]
    return [item for _, item in sorted(of_kind, key=lambda each: each[0], reverse=True)[:most]]


RECEIVED = NOON + timedelta(seconds=5)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(EVENTS, max_size=3), most=st.integers(0, 4))
def test_histories_are_what_a_simple_reference_says(database, batches, most):
    mark = secrets.randbelow(2**50) * 10  # the users and events of each example are its own
    told = []
    for batch in batches:
        told.append([])
        for event, kind, user, item, second in batch:
            name = f"{mark}{user}" if isinstance(user, str) else mark + user
            time = None if second < 0 else NOON + timedelta(seconds=second)
            told[-1].append(Event(mark + event, kind, name, item, time))
    for batch in told:
        database.add_events(batch, received=RECEIVED)
    for user in {event.user for batch in told for event in batch}:
        found = database.history(user, most)
        assert list(map(repr, found.clicks)) == list(map(repr, reference(told, user, "click", most)))
        assert list(map(repr, found.dislikes)) == list(map(repr, reference(told, user, "dislike", most)))


def test_histories_of_many(database):
    assert (database.users(3), database.histories([1, 2])) == ([], {})
    database.add_events([click(n, n % 7, n, kind="dislike" if n % 3 else "click") for n in range(1500)])
    assert len(database.users(3)) == 3
    assert sorted(database.users(100)) == list(range(7))
    found = database.histories([*range(9), "1"])
    assert {user: (set(said.clicks), set(said.dislikes)) for user, said in found.items()} == {
        user: (set(database.history(user, 9999).clicks), set(database.history(user, 9999).dislikes))
        for user in range(7)
    }


def test_metadata_stays_where_it_is_kept(database):
    database.put_items([StoredItem(1, {"a": 1}), StoredItem(2, {"a": 2})])
    database.put_items([StoredItem(1, {"b": 1}, hidden=True), StoredItem(2, {"b": 2})], keeping=[1])
    database.put_items([StoredItem(3, {}), StoredItem(4, None)], keeping=[3, 4])
    found = {item.id: (item.metadata, item.hidden) for item in database.items_changed_since(0).items}
    assert found == {1: ({"a": 1}, True), 2: ({"b": 2}, False), 3: ({}, False), 4: (None, False)}
    database.delete([1])
    database.put_items([StoredItem(1, {})], keeping=[1])
    assert database.item(1).metadata == {}


def test_lists_that_were_shown_are_kept_for_a_time(database):
    shown = [
        Exposure("r1", "ann", [7, "7", "🎬"], [2], "marec", NOON),
        Exposure("r2", None, [], [], "marec", NOON + timedelta(days=1)),
    ]
    assert database.log_exposures(shown) == 2
    assert database.log_exposures([]) == 0
    assert [each for page in database.exposures() for each in page] == shown
    assert database.drop_exposures(NOON + timedelta(days=1)) == 1
    assert [each for page in database.exposures() for each in page] == shown[1:]
    with pytest.raises(ParameterError, match="no ranks"):
        database.log_exposures([Exposure("r3", "ann", [7], [2], "marec")])


def test_swaps_are_kept_and_what_was_before_is_known(database):
    assert (database.on_air().now, database.on_air().before) == (None, None)
    first = database.log_swap("/models/a", "marec")
    second = database.log_swap("/models/a", "marec", content="x")
    assert database.on_air().before.version == first
    third = database.log_swap("/models/a", "marec", "rollback", generation=first)
    assert [(swap.action, swap.version, swap.generation) for swap in database.last_swaps()] == [
        ("rollback", third, first),
        ("swap", second, second),
        ("swap", first, first),
    ]
    on_air = database.on_air()
    assert (on_air.now.generation, on_air.before.version, on_air.before.content) == (first, second, "x")
    assert database.version() == third
    with pytest.raises(ParameterError, match="swap or rollback"):
        database.log_swap("/models/a", "marec", "start")


def test_a_start_is_kept_once_and_never_over_a_newer_swap(database):
    def start(path, content, given, seen):
        return database.log_start(path, "m", content, given, seen)

    first = start("/a", "1", "/a", 0)
    assert start("/a", "1", "/a", first) == start("/a", "1", "/a", 0) == first
    swap = database.log_swap("/b", "m", content="2")
    assert start("/a", "1", "/a", first) == swap  # a swap came while it was loading
    assert start("/b", "2", "/a", swap) == swap
    changed = start("/b", "3", "/a", swap)  # another model was saved to the folder
    assert database.on_air().now.action == "swap"
    other = start("/c", "4", "/c", changed)
    assert (database.on_air().now.path, database.on_air().now.version) == ("/c", other)
    assert [swap.version for swap in database.last_swaps()] == [other, changed, swap, first]


def test_many_servers_start_as_one(url, database):
    with Database.open(url) as other:
        assert {each.log_start("/a", "m", "1", "/a", 0) for each in (database, other, database)} == {1}


def test_reads_go_on_where_their_connections_went(server):
    with Database.open(server.make("gone")) as database:
        database.put_items([StoredItem(1)])
        assert database.version() == 1
        with writing(database._engine) as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE datname = 'gone' AND pid <> pg_backend_pid()")
            )  # fmt: skip
        assert database.version_and_history("ann") == (1, History())


def test_a_history_is_one_read_of_an_index(tmp_path):
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database, database._engine.connect() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT item FROM histories WHERE user = 'n1' AND type = 'click' "
            "ORDER BY time DESC, number DESC LIMIT 5"
        ).all()
    assert [row[3] for row in plan] == [
        "SEARCH histories USING COVERING INDEX histories_latest (user=? AND type=?)"
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no URL"),
        ("mysql://localhost/a", "mysql is not among"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////no/such/folder/a.db", "make it first"),
        ("sqlite:///a.db?mode=ro", "leave them out"),
        ("postgresql://ann:secret@127.0.0.1:1/a", "cannot be reached"),
        (None, "no URL"),
    ],
)
def test_urls_that_lead_nowhere_say_so(url, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match=words) as told:
        Database.open(url)
    assert "secret" not in str(told.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "live.db"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match="is no database"):
        Database.open(f"sqlite:///{file}")
    assert file.read_bytes() == b"not a database" * 100


def test_nothing_is_acknowledged_into_a_file_that_is_gone(tmp_path):
    """Writes to a removed file succeed, and are lost with the last connection."""
    file = tmp_path / "live.db"
    with Database.open(f"sqlite:///{file}") as database:
        assert database.add_events([click("e1", "ann", 1)]).new == 1
        file.rename(tmp_path / "moved.db")
        for attempt in (lambda: database.add_events([click("e2", "ann", 2)]), database.version):
            with pytest.raises(
                DatabaseError, match="was removed or replaced while in use; restart the server"
            ):
                attempt()
        Database.open(f"sqlite:///{file}").close()
        with pytest.raises(DatabaseError, match="replaced"):
            database.put_items([StoredItem(1, {})])
