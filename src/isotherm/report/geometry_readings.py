"""What each figure of the geometry page says on these models, and what to do about it."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from isotherm.evaluation.bootstrap import Interval
from isotherm.geometry.influence import ConditionTest
from isotherm.geometry.study import Geometry
from isotherm.report import geometry_figures as figures
from isotherm.report.readings import Reading, Table

_STRICT = 0.01  # share of random pairs inside the radius, below which it is a guarantee for hardly anyone
_LOCAL = 1 / 3  # influence of far related pairs over near related ones, below which sharing is local
_DRIFTS = 0.5
_SMALL_STEP = 0.1


def readings(models: Mapping[str, Geometry]) -> list[Reading]:
    """The page's parts, in order."""
    return [
        _ladder(models),
        _theorem(models),
        _reach(models),
        _regions(models),
        _inputs(models),
        _drift(models),
        _pull(models),
        _collapse(models),
        _distances(models),
        *_maps(models),
    ]


def first_of(models: Mapping[str, Geometry]) -> tuple[str, Geometry]:
    """The model that the words are about, and its name."""
    return next(iter(models.items()))


def _ladder(models: Mapping[str, Geometry]) -> Reading:
    name, g = first_of(models)
    kinds = g.influence.kinds
    inside, helped = ({kind: row[c].mean for kind, row in kinds.items()} for c in ("inside", "helped"))
    says = (
        f"For {name}: {inside['random']:.1%} of random pairs, {inside['near']:.1%} of nearest users and "
        f"{inside['copy']:.0%} of thinned copies are inside the radius; the step did help in "
        f"{helped['random']:.0%}, {helped['near']:.0%} and {helped['copy']:.0%} of them."
    )
    do = (
        "The radius is a guarantee that hardly any pair of trained users gets, so do not choose settings by "
        "it; choose by the influence that was measured, below."
        if inside["random"] < _STRICT
        else "Inside the radius, help is certain: raise the share with a weaker β or with anchors, and look "
        "again."
    )
    return Reading(
        "Who is inside the sharing radius",
        "Training on user v moves the shared decoder, and that can help user u. Theory promises help where "
        "the two posteriors are closer than u's sharing radius. Each row asks less than the one above it.",
        says,
        do,
        (figures.ladder(models),),
    )


def _theorem(models: Mapping[str, Geometry]) -> Reading:
    name, g = first_of(models)
    rows = [
        [model, figures.STEPS[condition], *_tested(test), *_tested(geometry.untrained.tests[condition])]
        for model, geometry in models.items()
        for condition, test in geometry.influence.tests.items()
    ]
    inside = g.influence.tests["inside"]
    kept = "there is no such pair, so the promise was not put to the test"
    if inside.helped is not None:
        broken = round(inside.pairs * (1 - inside.helped))
        kept = (
            f"u's loss fell in all {inside.pairs:,} of them: the promise holds"
            if not broken
            else f"u's loss rose in {broken:,} of {inside.pairs:,}: L is larger elsewhere, or --points few"
        )
    says = f"For {name}: of the pairs inside the radius, {kept}."
    order, first_order = g.influence.first_order.remainder_ratio, g.influence.first_order.decrease_ratio
    if order is not None and first_order is not None:
        says += (
            f" Halving the step divides what theory leaves out by {order:.2f} (4 is what it should be), and "
            f"the measured fall is {first_order:.3f} of the first-order one."
        )
    do = (
        "The steps were small enough: read the influence below as first order."
        if abs((first_order or 0) - 1) < _SMALL_STEP
        else "The steps were too large for first-order theory: run again with a smaller --step."
    )
    return Reading(
        "The theorem, put to the test",
        f"A real SGD step was taken on v for every pair ({g.influence.sharing.rate:.1e} times the gradient), "
        "and u's loss measured before and after.",
        says,
        do,
        (),
        Table(["model", "where", "pairs", "loss fell", "pairs, untrained", "loss fell, untrained"], rows, 2),
    )


def _tested(test: ConditionTest) -> list[str]:
    return [f"{test.pairs:,}", "" if test.helped is None else f"{test.helped:.2%}"]


def _reach(models: Mapping[str, Geometry]) -> Reading:
    name, g = first_of(models)
    c, curve = g.influence.correlation, g.influence.curve
    first, last = curve.row(0, named=True), curve.row(-1, named=True)
    says = (
        f"For {name}: influence goes from {signed(first['influence'], '.3f')} among the closest tenth of the "
        f"pairs to {signed(last['influence'], '.3f')} among the farthest; rank correlation with distance "
        f"{with_interval(c, 2)}. Before training it was {_mean(g.untrained.curve['influence']):.2f} on "
        f"average, and {_mean(g.untrained.curve['helped']):.0%} of the steps helped."
    )
    within = float(curve.filter(curve["influence"] >= first["influence"] / 2)["distance"].to_numpy().max())
    apart = _median(g.influence.pairs.filter(kind="random")["w1_high"])
    if c.high < 0:
        do = (
            f"Users nearer than about {within:.2g} (W₁; two random users are {apart:.2g} apart) teach each "
            "other at least half as well as the closest do: take this as the reach when you look for users "
            "alike."
        )
    else:
        do = "Distance says nothing about who helps whom here; look at the collapse part before using it."
    return Reading(
        "How far influence reaches",
        "Influence is how much v's step lowered u's loss, as a share of what a step of u's own, as long, "
        "would have.",
        says,
        do,
        (figures.influence_curves(models),),
    )


def _regions(models: Mapping[str, Geometry]) -> Reading:
    name, g = first_of(models)
    rows, far = [], {}
    for model, geometry in models.items():
        for row in geometry.influence.regions.iter_rows(named=True):
            if row.get("influence") is not None:
                rows.append([model, figures.region(row), *_region_figures(row)])
                far[model, row["far"], row["related"]] = row["influence"]
    mine = far.get((name, True, True), 0.0)
    near, apart = far.get((name, False, True), 0.0), far.get((name, True, False), 0.0)
    says = (
        f"For {name}: far but related users give {signed(mine)}, near related ones {signed(near)}, far "
        f"unrelated ones {signed(apart)}."
    )
    others = [
        f"{other} {signed(far[other, True, True])}"
        for other in list(models)[1:]
        if (other, True, True) in far
    ]
    if others:
        says += f" Far but related elsewhere: {', '.join(others)}."
    do = (
        "Sharing is mostly local: try other anchors.weight, mask.keep and β, and compare this figure."
        if mine < _LOCAL * near
        else "Far users who share positives do teach each other here; there is no need to push them together."
    )
    return Reading(
        "Local and global",
        "Random pairs, by their clicks: far is an ℓ₁ distance above the median pair's, related is more "
        "shared clicks, of the smaller history, than the median pair's. Whiskers are 95% intervals; a "
        "fifth of the pairs is a row or a column of the squares, named by its median.",
        says,
        do,
        (figures.regions(models), figures.grids(g)),
        Table(
            [
                "model",
                "pairs",
                "share",
                "influence",
                "steps that help",
                "inside the radius",
                "mean W₁ at most",
            ],
            rows,
            2,
        ),
    )


def _region_figures(row: Mapping[str, float]) -> list[str]:
    shares = [
        f"{row['share']:.0%}",
        signed(row["influence"]),
        f"{row['helped']:.1%}",
        f"{row['inside']:.2%}",
    ]
    return [*shares, f"{row['distance']:.2f}"]


def _inputs(models: Mapping[str, Geometry]) -> Reading:
    _, g = first_of(models)
    pairs = g.contraction.pairs
    closer, parted = _mean(pairs["contracts"]), _mean(pairs["expands"])
    most = _mean(pairs.filter(pairs["shared"] > 4 * pairs["l1"])["expands"])
    says = (
        f"A mask that keeps {g.drift.keep:.0%} of the clicks brings the average pair closer with probability "
        f"{closer:.0%} and parts it with {parted:.0%}; pairs that share over four fifths of their clicks "
        f"part with {most:.0%}. The bounds hold for {g.contraction.within_bounds:.1%} of the pairs."
    )
    do = "Nothing yet: what counts is how much of this the encoder undoes. That is the drift, below."
    return Reading(
        "What a mask does to the input",
        f"Bars: in how many of {g.contraction.draws} masks the ℓ₁ distance of a pair is below, or above, "
        "the clean one. Red marks: at least so many, by theory.",
        says,
        do,
        (figures.masked_inputs(g),),
    )


def _drift(models: Mapping[str, Geometry]) -> Reading:
    name, g = first_of(models)
    d = g.drift
    says = (
        f"For {name}: two masks disagree on {d.drift.mean():.0%} of a user's {d.neighbours} nearest users, "
        f"and a mask and the clean input on {d.from_clean.mean():.0%}."
    )
    for other, geometry in list(models.items())[1:]:
        says += f" {other}: {geometry.drift.drift.mean():.0%}."
    if d.drift.max() == 0:
        do = "There is no mask, so nothing drifts; try --keep 0.5 to see how the model would take one."
    elif d.drift.mean() > _DRIFTS:
        do = (
            "Who counts as a neighbour is mostly the mask's doing: keep more of the clicks (mask.keep), and "
            "take clean histories wherever neighbours are shown or used."
        )
    else:
        do = "Most neighbours survive a mask: the latent neighbourhoods can be used as they are."
    return Reading(
        "Neighbourhood drift",
        "Everybody's clicks are masked anew, and each user's nearest users (W₂) looked up again.",
        says,
        do,
        (figures.drifts(models),),
    )


def _pull(models: Mapping[str, Geometry]) -> Reading:
    rows = []
    for model, g in models.items():
        d = g.drift
        learned = "" if d.to_centroid is None else f"{d.to_centroid.mean():.3f}"
        rows.append(
            [
                model,
                f"{g.anchors.weight:g}",
                f"{g.anchors.largest_eigenvalue:.1f}",
                f"{g.anchors.tau():.3f}",
                f"{g.anchors.tau() ** 2:.3f}",
                f"{d.mask_variance.mean():.3f}",
                f"{d.relative_variance.mean():.3f}",
                learned,
                f"{d.to_fitted_centroid.mean():.3f}",
            ]
        )
    names = ["model", "λ_A", "curvature L", "τ", "τ²", "variance over masks", "of the users'"]
    names += ["to own anchors", "to fitted anchors"]
    name, g = first_of(models)
    tau = g.anchors.tau()
    plain = next((other for other in models if not models[other].anchors.weight), None)
    if not g.anchors.weight:
        says = f"{name} has no anchors, so nothing pulls: τ is 1."
        do = "Fit the same model with anchors.weight=1 and give it as --compare to see what they hold."
    elif plain is None:
        says = (
            f"For {name}, theory lets anchors shrink the variance over masks to {tau**2:.2f} and distances "
            f"to {tau:.2f}."
        )
        do = "Give the same model without anchors as --compare to see what they do shrink."
    else:
        p = models[plain]
        varied = g.drift.mask_variance.mean() / p.drift.mask_variance.mean()
        relative = g.drift.relative_variance.mean() / p.drift.relative_variance.mean()
        tau = p.anchors.tau(g.anchors.weight)
        near = g.drift.to_fitted_centroid.mean() / p.drift.to_fitted_centroid.mean()
        says = (
            f"Against {plain}, {name} has {varied:.2f} times the variance over masks ({relative:.2f} times "
            f"as a share of the users' own spread) and {near:.2f} times the distance to the fitted anchors. "
            f"Theory allows τ² {tau**2:.2f} and τ {tau:.2f} at "
            f"{plain}'s curvature."
        )
        do = (
            "The anchors shrink more than the local bound says, for training with them moves everything "
            "else as well."
            if varied < tau**2
            else "The anchors hold less than they could: a larger λ_A, or a longer training, would tell."
        )
    return Reading(
        "What the anchors hold",
        "Anchors add 2λ_A to the curvature of a user's loss. Where that curvature is at most L, the "
        "variance of the mean over masks shrinks by τ² and the distance to the user's anchors by τ = L / "
        "(L + 2λ_A).",
        says,
        do,
        (),
        Table(names, rows),
    )


def _collapse(models: Mapping[str, Geometry]) -> Reading:
    _, g = first_of(models)
    c = g.collapse
    says = c.verdict
    if c.divergence is not None:
        full = (
            "as much as this many users can show"
            if c.divergence.information > 0.95 * c.most_information
            else f"of at most {c.most_information:.1f}"
        )
        d = c.divergence
        says += (
            f" Of {c.kl:.1f} nats, {d.information:.1f} tell users apart ({full}) and "
            f"{d.aggregated_gap:.1f} are the distance of all users together from the prior."
        )
    do = {
        "collapsed": "Lower β (beta.cap, beta.value or beta.gamma), anneal it longer, or set free_bits.",
        "partly collapsed": f"Lower β, or take a smaller latent; {max(2, round(1.5 * c.rank))} units do.",
        "alive": "β needs no change on this account.",
    }[c.state]
    return Reading(
        "β and collapse",
        "The KL term pulls every posterior to the same prior; too strong, and a unit carries nothing of "
        "the user.",
        says,
        do,
        (figures.units(models),),
    )


def _distances(models: Mapping[str, Geometry]) -> Reading:
    rows = []
    for model, g in models.items():
        for kind, label in figures.KINDS.items():
            some = g.influence.pairs.filter(kind=kind)
            middle = [f"{_median(some[name]):.3f}" for name in ("w1_low", "w1_high", "w2", "radius")]
            rows.append([model, label, *middle])
    name, g = first_of(models)
    pairs, between = g.influence.pairs, g.transport.pairs
    ratio = _median(between["w2"] / between["low"].clip(1e-9))
    steep, along = (_ninety(pairs[column]) for column in ("lipschitz", "lipschitz_secant"))
    says = (
        f"For {name}: W₂ is {ratio:.3f} times the distance of the means for the median pair, so W₁ is known "
        f"to that factor; sampled optimal transport is below W₂ for {g.transport.at_most_w2:.0%} of "
        f"{between.height} pairs. The slope L of the gradient is {steep} by the Jacobian (its worst "
        f"direction) and {along} along the way to the other user (medians; in brackets, nine tenths of the "
        "pairs)."
    )
    return Reading(
        "Distances and the radius",
        "W₁ and W₂ between posteriors, medians; the radius is 0 where the two users' clicks ask for "
        "different things of the same place.",
        says,
        "Where a distance is needed, take W₂: it is in closed form and all but W₁.",
        (),
        Table(["model", "pairs", "W₁ at least", "W₁ at most", "W₂", "radius"], rows, 2),
    )


def _maps(models: Mapping[str, Geometry]) -> list[Reading]:
    name, g = first_of(models)
    m = g.map
    clicks = Reading(
        "Maps: users by clicks",
        "Above, the plane of largest variance (PCA) of the users shown; below, t-SNE, where only "
        "neighbourhoods mean something. Diamonds are anchors of the most clicked items.",
        f"For {name}: the plane holds {m.explained:.0%} of the variance of these users.",
        "Look for light users heaped in one spot: they are told apart by little, and masks will mix them.",
        (figures.maps(models, "pca", "clicks"), figures.maps(models, "tsne", "clicks")),
    )
    lift = m.same_taste / max(m.by_chance, 1e-9)
    taste = Reading(
        "Maps: users by taste",
        "The same places; colours are what a user clicks more than others do.",
        f"For {name}: {m.same_taste:.0%} of a user's ten nearest users share the taste, {m.by_chance:.0%} "
        "would by chance.",
        "Tastes stand apart: neighbours can be used to explain."
        if lift > 1.5
        else "Tastes overlap: neighbours are alike in something else, such as how much they click.",
        (figures.maps(models, "pca", "taste"), figures.maps(models, "tsne", "taste")),
    )
    if not m.anchors.height:
        return [clicks, taste]
    titles = Reading(
        "Anchors by title",
        "The anchors of the most clicked items on a plane of their own; titles that would lie on another "
        "are left out.",
        "Items whose anchors are neighbours pull their users to one place: they are, to the model, of one "
        "taste.",
        "Read the neighbours: a strange pair is a sign of an item that is clicked by everybody, or of too "
        "few clicks.",
        (figures.anchor_map(g),),
    )
    return [clicks, taste, titles]


def with_interval(value: Interval, digits: int = 4) -> str:
    """Mean [low, high]."""
    mean, low, high = (signed(each, f".{digits}f") for each in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def signed(value: float, form: str = ".4f") -> str:
    """A number with a real minus sign."""
    return format(value, form).replace("-", "−")


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean()) if len(values) else 0.0


def _ninety(values: pl.Series) -> str:
    """Median, and from the 5th to the 95th percentile."""
    low, middle, high = np.quantile(values.to_numpy(), [0.05, 0.5, 0.95])
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy())) if len(values) else 0.0
