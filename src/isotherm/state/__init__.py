"""What a fitted object has learned, declared once: saving, loading and the checks follow from it.

    class IALS(Recommender):
        learned = (
            Dense("item_factors_", np.float32, ("n_clicked", "factors")),
            Dense("columns_", np.int64, ("n_clicked",), below="n_items", ascending=True),
        )

A size is a number or a name: an attribute of the object that is a whole number (a hyper-parameter), one of
the model's own (n_users, n_items, n_fitted: columns of the clicks it was fitted on), or any other word, which
stands for the same number wherever the object uses it. An object within is declared by ``Inner`` and its own
``learned``. What is declared is what a saved model must hold: nothing less, nothing more.

fields         the declarations, and the base class of objects that have them
saved_state    an object's state as arrays and JSON, and back; both held against the declarations
torch_modules  the state of a torch network
"""

from isotherm.state.fields import Arrays, Dense, Field, Inner, Plain, Size, Sparse, Stateful
from isotherm.state.saved_state import ExpectedState, arrays_under, restore, saved

__all__ = [
    "Arrays",
    "Dense",
    "ExpectedState",
    "Field",
    "Inner",
    "Plain",
    "Size",
    "Sparse",
    "Stateful",
    "arrays_under",
    "restore",
    "saved",
]
