"""Random numbers by name: each purpose of a run draws from a stream of its own, all from one seed.

A list of numbers as a seed is not safe: NumPy fills it up with zeros, so that [seed, epoch, phase] and
[seed, epoch, phase, 0] are one stream. Here name and place are a spawn key (``numpy.random.SeedSequence``),
which is mixed in behind the seed with its length: streams of other names or places are independent, and so
are those of an integer seed alone.
"""

import numpy as np


def stream(seed: int, name: str, *place: int) -> np.random.Generator:
    """The random numbers for one purpose.

    name: what they are for, such as "noise"; no other purpose of the same run may use it.
    place: where in the run, such as epoch and batch; whole numbers in [0, 2³²).
    """
    letters = name.encode()
    key = (len(letters), *letters, *map(int, place))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int(seed), spawn_key=key)))


def stream_seed(seed: int, name: str, *place: int) -> int:
    """A seed in [0, 2³²) from such a stream, for a library that draws by itself."""
    return int(stream(seed, name, *place).integers(2**32))
