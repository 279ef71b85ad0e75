"""Words of the geometry page that its figures and tables share."""

from isotherm.geometry.pairs import COPY, NEAR, RANDOM

KINDS = {
    RANDOM: "two users at random",
    NEAR: "a user and one of the nearest",
    COPY: "a user and a subsampled copy",
}
CONDITIONS = {
    "inside": "inside the radius, L from the Jacobian",
    "inside_secant": "inside the radius, L by differences",
    "closer": "gradients closer than u's is long",
    "aligned": "gradients agree",
    "helped": "the step helped",
}


def region(far: bool, related: bool) -> str:
    """Words for a row of ``Influence.regions``."""
    return f"{'far' if far else 'near'}, {'related' if related else 'unrelated'}"


REGIONS = [region(far, related) for far in (False, True) for related in (True, False)]
