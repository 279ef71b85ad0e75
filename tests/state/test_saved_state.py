"""Declared state: what is written is read again, and what is not as declared is refused."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.state import Dense, Inner, Plain, Sparse, Stateful, arrays_under, restore, saved
from isotherm.untrusted import DamagedError, Number


class Factors(Stateful):
    """A table of some items."""

    learned = (
        Dense("table_", np.float32, ("n", "width")),
        Dense("columns_", np.int64, ("n",), below="n_items", ascending=True),
    )
    width = 2

    def __init__(self, n=0):
        self.table_ = np.ones((n, 2), dtype=np.float32)
        self.columns_ = np.arange(n)


class Learner(Stateful):
    """All kinds of fields."""

    learned = (
        Plain("level_", Number(least=0)),
        Sparse("links_", ("n_items", "n_items"), least=0),
        Dense("seen_", np.float64, ("n_items",), missing=True),
        Inner("factors_", lambda owner, sizes: Factors(), {"n": "n_warm"}),
        Dense("warm_", np.int64, ("n_warm",)),
    )

    def __init__(self):
        self.level_ = 0.5
        self.links_ = csr_array(np.float32([[0, 1, 0], [2, 0, 3], [0, 0, 0]]))
        self.seen_ = np.array([1.0, np.nan, 3.0])
        self.factors_ = Factors(2)
        self.warm_ = np.array([0, 2])


KNOWN = {"n_items": 3}


def test_state_is_plain_json_and_arrays_by_name_and_comes_back():
    arrays, document = saved(Learner(), KNOWN)
    assert document == {"level": 0.5, "factors": {}}
    assert set(arrays) == {
        "links/data", "links/indices", "links/indptr", "seen", "factors/table", "factors/columns", "warm",
    }  # fmt: skip
    again = Learner.__new__(Learner)
    restore(again, arrays, document, KNOWN)
    np.testing.assert_array_equal(again.links_.toarray(), Learner().links_.toarray())
    np.testing.assert_array_equal(again.seen_, Learner().seen_)
    np.testing.assert_array_equal(again.factors_.table_, np.ones((2, 2)))
    assert (again.level_, again.warm_.tolist()) == (0.5, [0, 2])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("level_", -1.0, "level is -1.0 and must be a number from 0"),
        ("seen_", np.array([1.0, np.inf, 3.0]), "seen holds a number that is not finite"),
        ("seen_", np.float32([1, 2, 3]), "seen is of type F32 and must be F64"),
        ("seen_", np.ones(2), r"seen is of shape \(2,\) and must be \(3\)"),
        ("warm_", np.arange(3), r"warm is of shape \(3,\) and must be \(2\)"),  # the factors say 2
        ("links_", csr_array(-np.eye(3, dtype=np.float32)), "links holds -1.0, which is below 0"),
        ("links_", csr_array((2, 3), dtype=np.float32), r"links/indptr is of shape \(2,\) and must be \(3\)"),
    ],
)
def test_what_is_not_as_declared_is_refused(name, value, words):
    learner = Learner()
    setattr(learner, name, value)
    with pytest.raises(DamagedError, match=words):
        saved(learner, KNOWN)


def test_arrays_that_nobody_declared_and_missing_ones_are_refused():
    arrays, document = saved(Learner(), KNOWN)
    with pytest.raises(DamagedError, match="arrays: 'more' is unknown"):
        restore(Learner(), arrays | {"more": np.ones(1)}, document, KNOWN)
    del arrays["warm"]
    with pytest.raises(DamagedError, match="arrays: 'warm' is missing"):
        restore(Learner(), arrays, document, KNOWN)
    with pytest.raises(DamagedError, match="state: level is missing"):
        restore(Learner(), arrays, {"factors": {}}, KNOWN)


def test_arrays_of_one_prefix():
    assert arrays_under({"a/x": 1, "a/y/z": 2, "b/x": 3, "a": 4}, "a/") == {"x": 1, "y/z": 2}
