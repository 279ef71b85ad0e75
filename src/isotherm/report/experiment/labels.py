"""Words of the experiment's page that its figures, tables and sentences share."""

from isotherm.experiment.analysis.verdict import Verdict

#: metric -> what it is
METRICS = {
    "ctr": "clicks per impression",
    "clicks_per_user": "clicks per user",
    "watch_per_user": "time watched per user",
    "watch_per_user_winsorised": "the same, winsorised",
    "watch_per_user_trimmed": "the same, trimmed",
    "conversion": "users who convert",
    "cold_share": "new items' share of impressions",
    "coverage": "distinct items shown",
}
#: action of a verdict -> the word over the page
VERDICTS = {"ship": "Ship it", "stop": "Stop", "invalid": "No verdict"}
#: count of the log -> what it is; those that are 0 are left out but for the first
COUNTS = {
    "rows": "events read",
    "measured": "events within the experiment",
    "before_exposure": "events from before a user's first exposure: covariates",
    "repeated": "events that came twice: counted once",
    "late": "events received more than a day late: counted at their time",
    "future": "events dated ahead of their receipt: counted at receipt",
    "out_of_order": "events out of order",
    "without_value": "watch events without seconds",
    "without_exposure": "events of users whom the experiment never served",
    "before_window": "events before covariates begin",
    "after_end": "events after the end",
    "unattributed_clicks": "clicks without an impression before",
    "repeated_clicks": "second clicks on one impression",
    "users": "users exposed",
    "overridden": "testers: left out",
    "several_arms": "users in several arms: left out",
    "bots": "bots: left out",
    "outliers": "outliers: kept, capped in winsorised means",
}


def verdict_label(verdict: Verdict, longest: int) -> str:
    """The words over the page; an experiment that nobody would wait for is undecided."""
    days = verdict.wait_days
    if days is None:
        return VERDICTS[verdict.action]
    return f"Wait: {days} more day{'s' * (days > 1)}" if days <= longest else "Undecided"


def metric_label(name: str) -> str:
    """What a metric is, in words; its own name where it is not one of ours."""
    return METRICS.get(name, name.replace("_", " "))
