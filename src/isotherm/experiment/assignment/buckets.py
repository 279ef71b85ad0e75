"""A salted hash of an id as a number in [0, 1): the same on every machine, whatever the version of Python."""

from hashlib import blake2b

Id = int | str


def bucket(salt: str, user: Id) -> float:
    """Where the hash of salt and id lies in [0, 1): the first 53 of the 64 bits of a BLAKE2b digest.

    user: the integer 1 and the text "1" are two users. Other salts give independent numbers.
    Raises TypeError for what is no id.

    >>> from isotherm.experiment.assignment import bucket
    >>> round(bucket("films", "ann"), 4), bucket("films", 1) == bucket("films", "1")
    (0.8524, False)
    """
    if isinstance(user, bool) or not isinstance(user, int | str):
        raise TypeError(f"an id is an integer or a text, not {type(user).__name__}")
    tag = "i" if isinstance(user, int) else "t"
    hashed = blake2b(f"{salt}\0{tag}{user}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(hashed, "big") >> 11) / 2**53  # all 64 bits, rounded to a float, may give 1.0


def seed(request: str) -> int:
    """The seed of what is drawn for a request, by its id: who knows the id can draw the same again."""
    return int.from_bytes(blake2b(request.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")
