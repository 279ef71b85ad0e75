"""Random streams: no two purposes of a run draw the same numbers."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm import FitOptions, Interactions, ItemAnchors, MultVAE, RecVAE, Training, streams
from isotherm.models.vae.objective.masking import PopularityAware
from isotherm.streams import stream, stream_seed
from tests.models.vae.small import SMALL, tastes

PLACES = st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple)
NAMES = st.text(min_size=1, max_size=6)


def state_of(rng):
    return tuple(rng.bit_generator.state["state"].values())


@settings(max_examples=200)
@given(st.integers(0, 2**70), NAMES, PLACES, st.integers(0, 2**70), NAMES, PLACES)
def test_another_seed_name_or_place_is_another_stream(seed, name, place, seed_2, name_2, place_2):
    equal = (seed, name, place) == (seed_2, name_2, place_2)
    assert (state_of(stream(seed, name, *place)) == state_of(stream(seed_2, name_2, *place_2))) == equal


def test_zeros_behind_a_place_and_letters_like_places_are_told_apart():
    """NumPy fills a list of seeds up with zeros; a name may end where a place begins."""
    assert state_of(np.random.default_rng([7, 1, 2])) == state_of(np.random.default_rng([7, 1, 2, 0]))
    found = [
        stream(7, "a", 1, 2),
        stream(7, "a", 1, 2, 0),
        stream(7, "a", 1),
        stream(7, "a"),
        stream(7, "aa"),
    ]
    found += [stream(7, "a", 97), stream(7, "ab", 1), stream(7, "a", 98, 1), np.random.default_rng(7)]
    assert len({state_of(rng) for rng in found}) == len(found)


def test_seeds_of_any_whole_type_and_size_are_taken():
    assert state_of(stream(np.int64(3), "a", np.int32(2))) == state_of(stream(3, "a", 2))
    assert 0 <= stream_seed(10**40, "a") < 2**32
    assert stream_seed(3, "a") == stream_seed(3, "a") != stream_seed(3, "b")


@pytest.mark.parametrize(
    "model",
    [
        MultVAE(
            **SMALL, seed=1, mask=PopularityAware(), anchors=ItemAnchors(weight=1.0, init="svd"),
            training=Training(epochs=3, batch_size=40, valid_share=0.3, softmax_sample=20),
        ),
        RecVAE(
            **SMALL, seed=0, anchors=ItemAnchors(weight=1.0),
            training=Training(epochs=2, batch_size=40, softmax_sample=20),
        ),
    ],
    ids=["multvae", "recvae"],
)  # fmt: skip
def test_no_two_streams_of_a_training_are_equal(model, monkeypatch):
    """All that is drawn from: by name, each once, no two alike, and nothing beside."""
    clicks, drawn, original = tastes(), [], streams.np.random.Generator
    valid = Interactions.from_csr(tastes(seed=5).matrix[:60], np.arange(1000, 1060))

    def kept(bits):
        drawn.append(tuple(bits.state["state"].values()))
        return original(bits)

    monkeypatch.setattr(streams.np.random, "Generator", kept)
    monkeypatch.setattr(np.random, "default_rng", lambda *_: pytest.fail("a stream without a name"))
    model.fit(clicks, options=FitOptions(valid=valid if model.name == "recvae" else None))
    assert len(drawn) > 30
    assert len(set(drawn)) == len(drawn)


def test_nobody_seeds_with_a_list():
    """A list as a seed is filled up with zeros: it must not come back."""
    source = Path(streams.__file__).parent
    for file in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng"):
                assert not any(isinstance(a, ast.List | ast.Tuple) for a in node.args), (
                    f"{file.name}: {ast.unparse(node)}"
                )
