"""The metrics of a recommender's experiment."""

from isotherm.errors import ParameterError, brief
from isotherm.experiment.metrics.metric import COVERAGE, Metric

#: the first is the one that a verdict is about unless another is chosen
STANDARD = (
    Metric("ctr", "clicks_on_shown", "impressions", ("before_clicks", "before_impressions")),
    Metric("clicks_per_user", "clicks", covariates=("before_clicks",)),
    Metric("watch_per_user", "watch_seconds", covariates=("before_watch",)),
    Metric("watch_per_user_winsorised", "watch_seconds", covariates=("before_watch",), robust="winsorised"),
    Metric("watch_per_user_trimmed", "watch_seconds", robust="trimmed"),
    Metric("conversion", "converted"),
    Metric("cold_share", "cold_impressions", "impressions", role="guardrail", margin=0.1),
    Metric("coverage", COVERAGE, role="guardrail", margin=0.1),
)


def by_name(name: str) -> Metric:
    """A standard metric. Raises ParameterError for another name.

    >>> from isotherm.experiment.metrics import by_name
    >>> by_name("ctr").kind
    'ratio'
    """
    for metric in STANDARD:
        if metric.name == name:
            return metric
    known = ", ".join(metric.name for metric in STANDARD)
    raise ParameterError(f"{brief(name)} is no metric; they are {known}")
