"""An experiment's event log read literally: one event after the other, in plain Python.

Times are microseconds since 1970; events, assignments and exposures are lists of dicts.
"""

from collections import Counter, defaultdict

import numpy as np

SECOND = 1_000_000
DAY = 86_400 * SECOND
MEASURES = [
    *("impressions", "clicks", "clicks_on_shown", "watch_seconds", "conversions", "cold_impressions"),
    *("cold_clicks", "before_impressions", "before_clicks", "before_watch"),
]
MEASURED_TYPES = ("impression", "click", "watch", "conversion")


def read(events, assignments, exposures, window, rules):
    """Everything that ``read_users`` tells, as plain dicts and arrays."""
    users = exposed_users(assignments, window)
    from_lists = rules.impressions == "lists" or (
        rules.impressions == "auto"
        and exposures is not None
        and all(event["type"] != "impression" for event in events)
    )
    counts = Counter(rows=len(events))
    kept = distinct([timed(event, rules) for event in events], users, counts)
    for event in kept:
        if from_lists and event["type"] == "impression":
            event["type"] = "other"
    count(kept, users, counts)
    shown = []
    if from_lists:
        shown = listed_impressions(exposures, users)
    else:
        for event in kept:
            if event["type"] == "impression" and event["user_id"] in users:
                arm = window.arms[users[event["user_id"]]["arm"]]
                shown.append(
                    event | {"cold": is_cold(exposures, window, arm, event["item_id"], event["time"])}
                )
    start = window.start
    origin = (
        start * SECOND if start is not None else min((user["first"] for user in users.values()), default=0)
    )
    origin = int(origin // DAY * DAY)
    rows = [
        event for event in kept if event["user_id"] in users and event["type"] in MEASURED_TYPES[1:]
    ] + shown
    for row in rows:
        row["phase"], row["day"] = phase(row["time"], users[row["user_id"]], origin, window, rules)
    for event in kept:
        if event["user_id"] not in users:
            counts["without_exposure"] += 1
        else:
            counts[phase(event["time"], users[event["user_id"]], origin, window, rules)[0]] += 1
    attributed = attribute(rows, rules, counts)
    days = measured_days(rows, attributed)
    table = user_table(users, rows, days, origin, window, rules)
    last = max([row["day"] for row in rows if row["phase"] == "measured"], default=0)
    last = max([last, *(event_day(event, users, origin, window, rules) for event in kept)])
    last = max([last, *(user["first_day"] for user in table.values())])
    return {
        "users": table,
        "days": last + 1,
        "daily": moments(table, days, last + 1, len(window.arms)),
        "items": item_sums(table, rows, attributed, len(window.arms)),
        "counts": counts,
    }


def exposed_users(assignments, window):
    """User -> arm of the first exposure, its time, and whether there are several arms."""
    ours = [row for row in assignments if row["experiment"] == window.name]
    by_hand = {row["user_id"] for row in ours if row["reason"] == "override"}
    inside = [
        row
        for row in ours
        if (window.start is None or row["timestamp"] >= window.start * SECOND)
        and (window.end is None or row["timestamp"] < window.end * SECOND)
        and row["user_id"] not in by_hand
    ]
    users = {}
    for name in sorted({row["user_id"] for row in inside}):
        mine = [(row["timestamp"], window.arms.index(row["arm"])) for row in inside if row["user_id"] == name]
        first, arm = min(mine)
        users[name] = {"first": first, "arm": arm, "several": len({arm for _, arm in mine}) > 1}
    return users


def timed(event, rules):
    """An event at the time at which it counts."""
    late = event["received"] - event["timestamp"] > rules.late_hours * 3600 * SECOND
    future = event["timestamp"] - event["received"] > rules.future_seconds * SECOND
    time = event["received"] if future else event["timestamp"]
    return event | {"late": late, "future": future, "time": time}


def distinct(events, users, counts):
    """Of events of one id the one that was received first."""
    by_id = defaultdict(list)
    for event in events:
        by_id[event["event_id"]].append(event)
    order = list(users)

    def precedence(event):
        codes = {"impression": 0, "click": 1, "watch": 2, "conversion": 3}
        user = order.index(event["user_id"]) if event["user_id"] in users else len(order)
        value = event["value"] if event["type"] == "watch" else None
        beyond = float("inf") if value is None else value
        code = codes.get(event["type"], 5)
        told = (event["late"], event["future"])
        return (event["received"], event["time"], code, user, event["item_id"], beyond, *told)

    counts["repeated"] = len(events) - len(by_id)
    return [dict(min(same, key=precedence)) for same in by_id.values()]


def count(kept, users, counts):
    """What cuts across the events' place in time."""
    for event in kept:
        counts["late"] += event["late"]
        counts["future"] += event["future"]
        counts["other_types"] += event["type"] not in MEASURED_TYPES
        counts["without_value"] += event["type"] == "watch" and event["value"] is None
        if event["user_id"] in users:
            counts["out_of_order"] += any(
                other["received"] < event["received"] and other["time"] > event["time"]
                for other in kept
                if other["user_id"] == event["user_id"]
            )


def is_cold(exposures, window, arm, item, time):
    """Whether an item is cold in an arm: it was, and no list since the last that said so calls it warm."""
    said = []
    for row in exposures or []:
        if row["experiment"] == window.name and row["arm"] == arm:
            said += [
                (row["timestamp"], cold)
                for each, cold in zip(row["items"], row["cold"], strict=True)
                if each == item
            ]
    last = max((when for when, cold in said if cold), default=None)
    if last is None:
        return False
    return time < min((when for when, cold in said if not cold and when > last), default=float("inf"))


def listed_impressions(exposures, users):
    """An impression for each item of a list; of one request the first list."""
    first = {}
    for row in sorted(exposures, key=lambda row: row["timestamp"]):
        if row["user_id"] is not None:
            first.setdefault(row["request_id"], row)
    return [
        {
            "user_id": row["user_id"],
            "item_id": item,
            "type": "impression",
            "time": row["timestamp"],
            "cold": cold,
        }
        for row in first.values()
        for item, cold in zip(row["items"], row["cold"], strict=True)
        if row["user_id"] in users
    ]


def phase(time, user, origin, window, rules):
    """Where in the experiment a time is, and its day."""
    if window.end is not None and time >= window.end * SECOND:
        return "after_end", -1
    if time >= user["first"]:
        return "measured", (time - origin) // DAY
    if rules.before_days is not None and time < user["first"] - rules.before_days * DAY:
        return "before_window", -1
    return "before_exposure", -1


def event_day(event, users, origin, window, rules):
    if event["user_id"] not in users:
        return 0
    return max(phase(event["time"], users[event["user_id"]], origin, window, rules)[1], 0)


def attribute(rows, rules, counts):
    """(impression, days of the clicks that count for it) of each impression that was clicked."""
    measured = [row for row in rows if row["phase"] == "measured"]
    clicked = defaultdict(list)
    for click in measured:
        if click["type"] != "click":
            continue
        before = [
            (row["time"], bool(row["cold"]))
            for row in measured
            if row["type"] == "impression"
            and (row["user_id"], row["item_id"]) == (click["user_id"], click["item_id"])
            and click["time"] - row["time"] >= 0
        ]
        if not before or click["time"] - max(before)[0] > rules.click_hours * 3600 * SECOND:
            counts["unattributed_clicks"] += 1
            continue
        clicked[(click["user_id"], click["item_id"], *max(before))].append(click["day"])
    counts["repeated_clicks"] = sum(len(days) - 1 for days in clicked.values())
    if rules.one_click_an_impression:
        return {impression: [min(days)] for impression, days in clicked.items()}
    return clicked


def measured_days(rows, attributed):
    """(user, day) -> what was done."""
    days = defaultdict(Counter)
    for row in rows:
        if row["phase"] != "measured":
            continue
        add(days[row["user_id"], row["day"]], row)
    for (user, _, _, cold), clicked in attributed.items():
        for day in clicked:
            days[user, day]["clicks_on_shown"] += 1
            days[user, day]["cold_clicks"] += cold
    return days


def add(sums, row):
    if row["type"] == "impression":
        sums["impressions"] += 1
        sums["cold_impressions"] += row["cold"]
    elif row["type"] == "click":
        sums["clicks"] += 1
    elif row["type"] == "watch":
        sums["watch_seconds"] += row["value"] or 0
    else:
        sums["conversions"] += 1


def user_table(users, rows, days, origin, window, rules):
    """User -> all columns and flags."""
    table = {}
    for name, user in users.items():
        row = Counter()
        mine = {day: sums for (who, day), sums in days.items() if who == name}
        for sums in mine.values():
            row.update(sums)
        before = Counter()
        for event in rows:
            if event["user_id"] == name and event["phase"] == "before_exposure":
                add(before, event)
        row["before_impressions"], row["before_clicks"] = before["impressions"], before["clicks"]
        row["before_watch"] = before["watch_seconds"]
        minutes = Counter(
            event["time"] // (60 * SECOND)
            for event in rows
            if event["user_id"] == name and event["type"] == "click" and event["phase"] == "measured"
        )
        by_rule = {
            "by_impressions": max((sums["impressions"] for sums in mine.values()), default=0)
            > rules.bot_impressions_a_day,
            "by_clicks": max(minutes.values(), default=0) > rules.bot_clicks_a_minute,
            "by_click_through": row["impressions"] >= rules.bot_least_impressions
            and row["clicks_on_shown"] >= rules.bot_click_through * row["impressions"],
        }
        table[name] = {measure: row[measure] for measure in MEASURES} | {
            "arm": user["arm"],
            "first_day": int((user["first"] - origin) // DAY),
            "bot": any(by_rule.values()),
            "several_arms": user["several"],
            "by_rule": by_rule,
        }
    return table


def kept_users(table):
    return {name: user for name, user in table.items() if not (user["bot"] or user["several_arms"])}


def moments(table, days, n_days, n_arms):
    """Of each of Daily's three: users, sums and products by (day, arm)."""
    columns = [*MEASURES, "converted"]
    result = {}
    for kind in ("to_date", "of_day", "since_first"):
        n = np.zeros((n_days, n_arms))
        sums = np.zeros((n_days, n_arms, len(columns)))
        products = np.zeros((n_days, n_arms, len(columns), len(columns)))
        for name, user in kept_users(table).items():
            first = user["first_day"]
            for place in range(n_days):
                day = place + first if kind == "since_first" else place
                if day < first or day >= n_days:
                    continue
                span = range(first, day + 1) if kind == "to_date" else [day]
                done = Counter()
                for each in span:
                    done.update(days.get((name, each), {}))
                values = [user[c] if c.startswith("before") else done[c] for c in MEASURES]
                values = np.array([*values, done["conversions"] > 0], dtype=float)
                n[place, user["arm"]] += 1
                sums[place, user["arm"]] += values
                products[place, user["arm"]] += np.outer(values, values)
        result[kind] = (n, sums, products)
    return result


def item_sums(table, rows, attributed, n_arms):
    """Item -> (4, n_arms) impressions, clicks, cold impressions, cold clicks."""
    kept = kept_users(table)
    sums = defaultdict(lambda: np.zeros((4, n_arms)))
    for row in rows:
        if row["type"] == "impression" and row["phase"] == "measured" and row["user_id"] in kept:
            sums[row["item_id"]][[0, 2], kept[row["user_id"]]["arm"]] += [1, row["cold"]]
    for (user, item, _, cold), clicked in attributed.items():
        if user in kept:
            sums[item][[1, 3], kept[user]["arm"]] += [len(clicked), cold * len(clicked)]
    return dict(sums)
