"""What the geometry page says follows from the figures: every verdict has its words."""

import re
from dataclasses import dataclass
from html import unescape

import numpy as np
import pytest

from isotherm.evaluation.bootstrap import Interval
from isotherm.geometry.collapse import Collapse, Divergence
from isotherm.geometry.influence import ConditionTest, FirstOrder
from isotherm.report.geometry.latent_findings import (
    AnchorComparison,
    AnchorRow,
    AnchorsFinding,
    CollapseFinding,
    DriftFinding,
)
from isotherm.report.geometry.page import SECTIONS
from isotherm.report.geometry.sharing_findings import (
    KindShares,
    RadiusFinding,
    ReachFinding,
    RegionsFinding,
    TheoremFinding,
    TheoremRow,
)
from isotherm.report.page import render


class Charts:
    """No figures."""

    def __getattr__(self, name):
        return "<svg></svg>"


def words(section, **finding):
    """The words of a section, for the model «<first>»."""
    page = render(f"geometry/{section}.html", first="<first>", charts=Charts(), **finding)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.mark.parametrize(
    ("random", "says"),
    [(0.001, "guarantee that hardly any pair"), (0.2, "Inside the radius, help is certain")],
)
def test_the_radius_is_a_guarantee_for_few_or_a_guide(random, says):
    shares = KindShares(random, 0.2, 0.5)
    told = words("radius", radius=RadiusFinding(shares, shares))
    assert says in told
    assert f"For <first>: {random:.1%} of random pairs, 20.0% of nearest users and 50% of" in told


@pytest.mark.parametrize(
    ("inside", "first_order", "says"),
    [
        (ConditionTest(40, 1.0), FirstOrder(4.0, 1.0), ["loss fell in all 40 of them: the promise holds.",
          "by 4.00 (4 is what it should be), and the measured loss decrease is 1.000", "small enough"]),
        (ConditionTest(40, 0.95), FirstOrder(4.0, 0.7), ["loss rose in 2 of 40: L", "smaller --step"]),
        (ConditionTest(0, None), FirstOrder(None, None), ["there is no such pair", "too large"]),
    ],
)  # fmt: skip
def test_the_theorem_holds_or_not_or_has_no_pairs(inside, first_order, says):
    row = TheoremRow("<first>", "inside", inside, ConditionTest(7, None))
    told = words("theorem", theorem=TheoremFinding(1e-3, inside, first_order, [row]))
    assert all(sentence in told for sentence in says)
    assert ("Halving the step" in told) == (first_order.remainder_ratio is not None)


@pytest.mark.parametrize(("high", "says"), [(-0.1, "take this as the reach"), (0.1, "Distance says nothing")])
def test_influence_has_a_reach_where_it_falls(high, says):
    finding = ReachFinding(0.3, -0.01, Interval(-0.2, -0.3, high), 0.1, 0.8, 0.4, 0.6)
    told = words("reach", reach=finding)
    assert says in told
    assert "from 0.300 among the closest tenth of the pairs to −0.010 among the farthest" in told


@pytest.mark.parametrize(("far", "says"), [(0.01, "mostly local"), (0.19, "do help each other")])
def test_sharing_is_local_or_global(far, says):
    told = words("regions", regions=RegionsFinding(far, 0.2, -0.1, {"b": 0.05, "c": -0.05}, []))
    assert says in told
    assert "Far but related elsewhere: b 0.0500, c −0.0500." in told
    assert "elsewhere" not in words("regions", regions=RegionsFinding(far, 0.2, -0.1, {}, []))


@pytest.mark.parametrize(
    ("share", "masked", "says"),
    [(0.0, False, "There is no mask"), (0.7, True, "the mask's doing"), (0.2, True, "survive a mask")],
)
def test_neighbours_survive_masks_or_not(share, masked, says):
    told = words("drift", drift=DriftFinding(10, share, share, {"b": 0.25}, masked))
    assert says in told
    assert "b: 25%." in told


@dataclass
class Anchors:
    weight: float
    expected: str
    comparison: AnchorComparison | None = None


@pytest.mark.parametrize(
    "case",
    [
        Anchors(0.0, "<first> has no anchors, so nothing pulls: τ is 1."),
        Anchors(1.0, "theory lets anchors shrink the variance over masks to 0.25 and distances to 0.50."),
        Anchors(1.0, "more than the local bound says", AnchorComparison("b", 0.1, 1.5, 0.4, 0.5)),
        Anchors(1.0, "The anchors hold less than they could", AnchorComparison("b", 0.9, 1.5, 0.4, 0.5)),
    ],
    ids=["none", "alone", "beyond theory", "within theory"],
)
def test_anchors_are_held_against_theory(case):
    row = AnchorRow("<first>", case.weight, 2.0, 0.5, 1.0, 0.5, None, 0.25)
    told = words("anchors", anchors=AnchorsFinding(case.weight, 0.5, case.comparison, [row]))
    assert case.expected in told
    assert ("Theory allows τ² 0.25 and τ 0.50 at the L of b." in told) == (case.comparison is not None)


def collapse(variances, information=None):
    divergence = None if information is None else Divergence(np.full(len(variances), 2.0), information)
    return Collapse(np.array(variances), 1.6, 5.0, divergence)


@pytest.mark.parametrize(
    ("finding", "says"),
    [
        (CollapseFinding(collapse([0.0, 0.0]), False, 2), ["Lower β (beta.cap"]),
        (CollapseFinding(collapse([1.0, 0, 0], 1.0), False, 2), ["smaller latent; 2 units", "at most 5.0"]),
        (CollapseFinding(collapse([1.0, 1.0], 4.9), True, 2), ["no change", "as much as this many users"]),
    ],
)
def test_a_collapse_has_its_cure(finding, says):
    told = words("collapse", collapse=finding)
    assert all(sentence in told for sentence in [*says, finding.collapse.verdict])
    assert ("tell users apart" in told) == (finding.collapse.divergence is not None)


def test_each_section_has_its_template():
    from importlib.resources import files

    folder = files("isotherm.report") / "templates" / "geometry"
    assert {file.name for file in folder.iterdir()} == {f"{section}.html" for section in SECTIONS}
