"""Small logs as Parquet files."""

import polars as pl

HOUR = 3600 * 1_000_000
EVENT = {
    "event_id": pl.Int64,
    "user_id": pl.Int64,
    "item_id": pl.Int64,
    "type": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "received": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
}
ASSIGNMENT = {
    "experiment": pl.String,
    "arm": pl.String,
    "user_id": pl.Int64,
    "timestamp": pl.Datetime("us", "UTC"),
    "reason": pl.String,
}
EXPOSURE = {
    "request_id": pl.Int64,
    "user_id": pl.Int64,
    "experiment": pl.String,
    "arm": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "items": pl.List(pl.Int64),
    "cold": pl.List(pl.Boolean),
}


def write(folder, events, assignments, exposures=None):
    """Write rows (dicts, times in microseconds) to folder/NAME.parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"events": (events, EVENT), "assignments": (assignments, ASSIGNMENT)}
    if exposures is not None:
        tables["exposures"] = (exposures, EXPOSURE)
    for name, (rows, schema) in tables.items():
        frame(rows, schema).write_parquet(folder / f"{name}.parquet")
    return folder


def frame(rows, schema):
    return pl.DataFrame(
        {name: pl.Series(name, [row.get(name) for row in rows], dtype) for name, dtype in schema.items()}
    )


def event(number, user, type_, hour, item=1, value=None, delay=0.0):
    """An event at some hour of 1970, received so many hours later."""
    return {
        "event_id": number,
        "user_id": user,
        "item_id": item,
        "type": type_,
        "timestamp": round(hour * HOUR),
        "received": round((hour + delay) * HOUR),
        "value": value,
    }


def assignment(user, arm="a", hour=0.0, reason="hash", experiment="x"):
    time = round(hour * HOUR)
    return {"experiment": experiment, "arm": arm, "user_id": user, "timestamp": time, "reason": reason}


def exposure(request, user, hour, items, cold, arm="a", experiment="x"):
    return {
        "request_id": request,
        "user_id": user,
        "experiment": experiment,
        "arm": arm,
        "timestamp": round(hour * HOUR),
        "items": items,
        "cold": cold,
    }
