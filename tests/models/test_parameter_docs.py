"""Every hyper-parameter is documented under its class, and its range and default are what the class does."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import isotherm
from isotherm.errors import ParameterError
from isotherm.models.parameter_docs import ParameterDoc, choices_of, description, parameter_docs, settings_of
from isotherm.models.registry import REGISTRY, model_class
from isotherm.parameters import Part, hyperparameters, parameters_of, part_choices

pytest.importorskip("torch")  # the VAEs' settings need it

SOURCE = Path(isotherm.__file__).parent


def settable(owner, owners=None):
    """``owner`` and every class that one of its hyper-parameters may be set to."""
    owners = set() if owners is None else owners
    if owner not in owners:
        owners.add(owner)
        for choices in part_choices(owner).values():
            for choice in choices.values():
                settable(choice, owners)
    return owners


def classes():
    """Classes with hyper-parameters: the models, what they can be set to, and whoever has a section."""
    owners = set().union(*(settable(model_class(name)) for name in REGISTRY))
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if re.search(r"^ +Parameters:$", text, re.M) or "(Part)" in text:
            path = file.relative_to(SOURCE.parent).with_suffix("")
            module = import_module(".".join(path.parts).removesuffix(".__init__"))
            owners |= {
                value
                for value in vars(module).values()
                if inspect.isclass(value)
                and value.__module__ == module.__name__
                and (issubclass(value, Part) or "\n    Parameters:\n" in (value.__doc__ or ""))
            }
    by_name = sorted(owners, key=lambda each: each.__qualname__)
    return [each for each in by_name if parameters_of(each) and not inspect.isabstract(each)]


CLASSES = classes()
ENTRIES = [(each, entry) for each in CLASSES for entry in parameter_docs(each).values()]


@pytest.mark.parametrize("owner", CLASSES, ids=lambda owner: owner.__qualname__)
def test_parameters_are_documented_in_the_order_of_the_signature(owner):
    assert list(parameter_docs(owner)) == list(parameters_of(owner))


def default_of(owner, name):
    """The value of a parameter that is not given; for a required one ``inspect.Parameter.empty``."""
    parameters = parameters_of(owner).values()
    if any(parameter.default is inspect.Parameter.empty for parameter in parameters):
        return parameters_of(owner)[name].default
    return hyperparameters(owner())[name]


def is_said(text, value):
    """Whether the text of a default stands for the value: a literal, a word, or a class with its settings."""
    if value is inspect.Parameter.empty:
        return text is None
    if text is None:
        return False
    if text == value:
        return True
    if text == getattr(type(value), "name", None):
        return repr(value) == repr(type(value)())
    call = re.fullmatch(r"(\w+)\((.*)\)", text)
    if call:
        given = {word.arg: ast.literal_eval(word.value) for word in ast.parse(text).body[0].value.keywords}
        return call[1] == type(value).__name__ and repr(value) == repr(type(value)(**given))
    literal = {"none": None, "true": True, "false": False}.get(text.lower(), ...)
    if literal is ...:
        try:
            literal = ast.literal_eval(text.replace(",", "") if text[0].isdigit() else text)
        except (SyntaxError, ValueError):
            return False
    return literal == value and isinstance(literal, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("owner", "entry"), ENTRIES, ids=[f"{owner.__qualname__}-{entry.name}" for owner, entry in ENTRIES]
)
def test_the_default_is_the_one_documented(owner, entry):
    assert is_said(entry.default, default_of(owner, entry.name))


NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?"
#: ``> 0``, ``>= 1``, ``in (0, 1]`` or a word in small letters: of these a range is made.
ALTERNATIVE = rf"[<>]=? {NUMBER}|in [\[(]{NUMBER}, {NUMBER}[\])]|None|True|False|[a-z\d][\w-]*"
TINY = 1e-6


def alternatives(text):
    """The parts of a range; none where it is said in words, as in «a model or its name»."""
    joined = rf"(?:{ALTERNATIVE})(?:(?:, or |, | or )(?:{ALTERNATIVE}))*"
    return re.findall(ALTERNATIVE, text.replace(" or ", " | ")) if re.fullmatch(joined, text) else []


def sides(alternative, whole=False, named=False):
    """What one alternative takes and what it refuses: (values inside, values outside).

    whole: numbers without a fraction.  named: «none» is the name of a choice.
    """
    step = 1 if whole else TINY
    words = {} if named else {"none": None, "true": True, "false": False}
    bound = re.fullmatch(rf"(>=?|<=?) ({NUMBER})", alternative)
    span = re.fullmatch(rf"in ([\[(])({NUMBER}), ({NUMBER})([\])])", alternative)
    ends = []
    if bound:
        ends = [(bound[2], "=" in bound[1], 1 if bound[1][0] == ">" else -1)]
    elif span:
        ends = [(span[2], span[1] == "[", 1), (span[3], span[4] == "]", -1)]
    else:
        return [words.get(alternative.lower(), alternative)], []
    inside, outside = [], []
    for text, closed, inwards in ends:
        end = ast.literal_eval(text.replace(",", ""))
        inside.append(end if closed else end + inwards * step)
        outside += [end - inwards * step if closed else end, *[end + inwards * 0.5] * whole]
    return inside, outside


@pytest.mark.parametrize(
    ("owner", "entry"), ENTRIES, ids=[f"{owner.__qualname__}-{entry.name}" for owner, entry in ENTRIES]
)
def test_the_range_is_the_one_documented(owner, entry):
    needed = {
        name: parameter.annotation
        for name, parameter in parameters_of(owner).items()
        if parameter.default is inspect.Parameter.empty
    }
    if needed:
        pytest.skip("cannot be made from one parameter")
    annotation = str(parameters_of(owner)[entry.name].annotation)
    named = entry.name in part_choices(owner)
    whole = "int" in annotation and "float" not in annotation
    taken, refused = [], ["no such choice", np.nan, object()]
    for alternative in alternatives(entry.range):
        inside, outside = sides(alternative, whole, named)
        taken, refused = taken + inside, refused + outside
    for value in taken:
        owner(**{entry.name: value})
    for value in refused if taken else []:
        assert is_refused(owner, entry.name, value), f"{value!r} is taken, but is outside of «{entry.range}»"


def is_refused(owner, name, value):
    """Whether a class refuses a value of one of its parameters."""
    try:
        owner(**{name: value})
    except ParameterError:
        return True
    return False


class _Documented:
    """What it is.

    More of it.

    Parameters:
        l2 (> 0; default 500): the penalty
            (eq. 8).
        kind (linear, constant or auto; required): how it falls: slowly.
    """

    def __init__(self, *, kind, l2=500.0):
        pass


class _Passing(_Documented):
    """Another.

    Parameters:
        own (in (0, 1]; default Annealed(cap=0.3)): a thing.
    """

    def __init__(self, *, own=None, **others):
        pass


def test_a_section_is_read_entry_by_entry():
    assert description(_Documented) == "What it is.\n\nMore of it."
    l2 = ParameterDoc("l2", "> 0", "500", "the penalty (eq. 8).")
    kind = ParameterDoc("kind", "linear, constant or auto", None, "how it falls: slowly.")
    assert parameter_docs(_Documented) == {"l2": l2, "kind": kind}
    own = ParameterDoc("own", "in (0, 1]", "Annealed(cap=0.3)", "a thing.")
    assert parameter_docs(_Passing) == {"own": own, "l2": l2, "kind": kind}
    assert [l2.bounds, kind.bounds] == ["> 0; default 500", "linear, constant or auto; required"]
    assert description(Part)
    assert parameter_docs(Part) == {}


def test_an_entry_of_another_form_is_refused():
    wrong = type("Wrong", (), {"__doc__": "W.\n\nParameters:\n    l2: the penalty.\n"})
    with pytest.raises(ValueError, match=r"Wrong: not of the form .* l2: the penalty"):
        parameter_docs(wrong)


def test_settings_are_named_as_the_command_line_takes_them():
    names = [name for name, _ in settings_of(model_class("multvae"))]
    assert names[:7] == [
        "hidden",
        "latent",
        "activation",
        "mask",
        "mask.keep",
        "mask=popularity mask.keep",
        "mask=popularity mask.power",
    ]
    assert len(set(names)) == len(names)
    choices = dict(choices_of(model_class("marec")))
    assert (
        choices["backbone"] == "ease, slim, ials, multvae, multdae, recvae, with the settings of that model"
    )
    assert choices["embedding=identity"] == "Each field as it is encoded."


def test_ranges_are_read():
    assert alternatives("a model or its name") == []
    assert alternatives("Interactions or None") == []
    assert alternatives("linear, constant or exponential") == ["linear", "constant", "exponential"]
    assert alternatives("> 0 or auto") == ["> 0", "auto"]
    assert alternatives("in (0, 1] or None") == ["in (0, 1]", "None"]
    assert sides(">= 1", whole=True) == ([1], [0, 1.5])
    assert sides("> 0") == ([TINY], [0])
    assert sides("in (0, 1]") == ([TINY, 1], [0, 1 + TINY])
    assert sides("none") == ([None], [])
    assert sides("none", named=True) == (["none"], [])


def test_defaults_are_compared_by_what_they_stand_for():
    from isotherm import Annealed

    said = [("500", 500.0), ("none", None), ("None", None), ("linear", "linear"), ("100,000", 100_000)]
    said += [("true", True), ("Annealed()", Annealed()), ("Annealed(cap=0.3)", Annealed(cap=0.3))]
    said += [("annealed", Annealed()), (None, inspect.Parameter.empty), ("1e-3", 0.001)]
    assert all(is_said(text, value) for text, value in said)
    other = [("500", 501.0), ("1", True), ("none", 0), ("Annealed()", Annealed(cap=0.3)), ("auto", "none")]
    other += [("annealed", Annealed(cap=0.3))]
    assert not any(is_said(text, value) for text, value in other)
