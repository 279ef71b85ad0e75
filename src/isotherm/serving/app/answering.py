"""Routes that answer: recommend; similar, explain and score."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from isotherm.serving.app import answers, schemas
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.live.requests import Answer, Asker, Rules
from isotherm.serving.shared.shared import SharedModel

K = Annotated[int, Query(ge=1, description="length of the list")]


class Lists:
    """The lists of a shared model, counted."""

    def __init__(self, shared: SharedModel, limits: Limits, metrics: Metrics) -> None:
        self._shared, self._limits, self._metrics = shared, limits, metrics

    def answer(self, body: schemas.RecommendBody) -> Answer:
        """The list that a body asks for."""
        return self.of(*self._asked(body))

    def answer_now(self, body: schemas.RecommendBody) -> Answer | None:
        """The same, None where something must be taken in or waited for first."""
        answer = self._shared.recommend_now(*self._asked(body))
        if answer is not None:
            self._metrics.count([answer])
        return answer

    def of(self, asker: Asker, k: int, rules: Rules) -> Answer:
        """The list of k items."""
        answer = self._shared.recommend(asker, k, rules)
        self._metrics.count([answer])
        return answer

    def _asked(self, body: schemas.RecommendBody) -> tuple[Asker, int, Rules]:
        return body.asker(self._limits), body.k, body.rules(self._limits)


def list_routes(lists: Lists, limits: Limits) -> APIRouter:
    """Those that answer with lists."""
    routes = APIRouter()

    @routes.post("/v1/recommend", summary="A list for a user or a history", response_model_exclude_unset=True)
    def recommend(body: schemas.RecommendBody) -> answers.Recommended:
        return answers.Recommended.of(lists.answer(body))

    @routes.post(
        "/v1/recommend/batch", summary="Several lists, all or none", response_model_exclude_unset=True
    )
    def recommend_batch(body: schemas.BatchBody) -> answers.BatchRecommended:
        limits.check("requests", body.requests, "batch")
        asked = [(each.asker(limits), each.k, each.rules(limits)) for each in body.requests]
        return answers.BatchRecommended(answers=[answers.Recommended.of(lists.of(*each)) for each in asked])

    @routes.get(
        "/v1/users/{user_id:id}/recommendations",
        summary="A list for a user",
        response_model_exclude_unset=True,
    )
    def user_recommendations(user_id: str, k: K = 10) -> answers.Recommended:
        limits.check("k", k, "k")
        return answers.Recommended.of(lists.of(Asker(user=user_id), k, Rules()))

    return routes


def item_routes(shared: SharedModel, limits: Limits, sight: Callable[..., bool]) -> APIRouter:
    """What a live model says of single items.  sight: tells who may learn of those that are unavailable."""
    routes = APIRouter()
    sees = Depends(sight)

    def near(item_id: str, k: int, rules: Rules, unavailable: bool) -> answers.SimilarItems:
        found = shared.similar(item_id, k, rules, unavailable).rename({"new": "cold"})
        return answers.SimilarItems(items=[answers.SimilarItem(**row) for row in found.to_dicts()])

    @routes.get("/v1/items/{item_id:id}/similar", summary="Items similar to one")
    def similar(item_id: str, k: K = 10, unavailable: bool = sees) -> answers.SimilarItems:
        limits.check("k", k, "k")
        return near(item_id, k, Rules(), unavailable)

    @routes.post("/v1/items/{item_id:id}/similar", summary="Items similar to one, by filters")
    def similar_by_rules(
        item_id: str, body: schemas.SimilarBody, unavailable: bool = sees
    ) -> answers.SimilarItems:
        return near(item_id, body.k, body.rules(limits), unavailable)

    @routes.post("/v1/explain", summary="Why an item is shown: exact shares of its score")
    def explain(body: schemas.ExplainBody, unavailable: bool = sees) -> answers.Explained:
        why = shared.explain(body.asker(limits), body.item, body.unknown, unavailable)
        return answers.Explained.of(why)

    @routes.post("/v1/score", summary="The scores of given items")
    def score(body: schemas.ScoreBody, unavailable: bool = sees) -> answers.Scored:
        limits.check("items", body.items, "ids")
        scores = shared.score(body.asker(limits), body.items, body.unknown, unavailable)
        pairs = zip(body.items, scores, strict=True)
        return answers.Scored(items=[answers.ItemScore(item_id=i, score=value) for i, value in pairs])

    return routes
