"""Routes for items: put, remove, and who will get one."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends

from isotherm.serving.app import answers, schemas
from isotherm.serving.app.limits import Limits
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.shared.shared import SharedModel, typed_id


def editing_routes(
    shared: SharedModel, limits: Limits, writes: Sequence[Any], sight: Callable[..., bool]
) -> APIRouter:
    """Those of a shared model.  writes: dependencies of what changes something.  sight: tells who may learn
    of items that are unavailable."""
    routes = APIRouter()

    def changed(items: Sequence[int | str], version: int) -> answers.Changed:
        known = shared.snapshot.model.items_
        return answers.Changed(items=[typed_id(known, item) for item in items], version=version)

    @routes.post("/v1/items", dependencies=writes, summary="Add and change items, all or none")
    def put_items(body: schemas.ItemsBody) -> answers.Changed:
        limits.check("items", body.items, "items")
        version = shared.put_items([each.item(each.item_id) for each in body.items])
        return changed([each.item_id for each in body.items], version)

    @routes.post("/v1/items/audience", summary="Whose lists an item would enter; nothing is saved")
    def audience(body: schemas.AudienceBody, unavailable: bool = Depends(sight)) -> answers.Reached:
        limits.check("k", body.k, "k")
        item = LiveItem(_unused_id(shared), body.fields) if body.item is None else body.item
        reached = shared.audience(item, body.k, limits.audience_users, unavailable)
        return answers.Reached(
            users=reached.users, share_of_slots=reached.share_of_slots, asked=reached.n_asked
        )

    @routes.put("/v1/items/{item_id:id}", dependencies=writes, summary="Add or change an item")
    def put_item(item_id: str, body: schemas.ItemBody) -> answers.Changed:
        return changed([item_id], shared.put_items([body.item(item_id)]))

    @routes.delete("/v1/items/{item_id:id}", dependencies=writes, summary="Never show an item again")
    def remove_item(item_id: str) -> answers.Changed:
        return changed([item_id], shared.remove_item(item_id))

    return routes


def _unused_id(shared: SharedModel) -> int | str:
    """An id for an item that is only proposed, of the model's type."""
    known = shared.snapshot.columns
    while True:
        number = -secrets.randbelow(2**62) - 1
        if str(number) not in known:
            return number
