import inspect
import warnings

import pytest
from typing_extensions import deprecated

from lrmp.deprecation import deprecation, renamed_parameter

TEXT = "lrmp.old is deprecated since lrmp 0.9 and leaves in 0.10 at the earliest: use lrmp.new."


@renamed_parameter("bits", "weight_bits", since="0.2")
def cost(layer, weight_bits=8):
    """Say what was asked for."""
    return layer, weight_bits


def test_a_function_and_a_class_warn_where_they_are_used():
    @deprecated(deprecation("lrmp.old", "0.9", "lrmp.new"))
    def old():
        return 1

    @deprecated(deprecation("lrmp.old", "0.9", "lrmp.new"))
    class Old:
        pass

    for use in (old, Old):
        with pytest.warns(DeprecationWarning, match="is deprecated since lrmp") as caught:
            use()
        assert [str(each.message) for each in caught] == [TEXT]
        assert caught[0].filename == __file__


def test_a_parameter_by_its_old_name_warns_and_works():
    with pytest.warns(DeprecationWarning, match="is deprecated since lrmp") as caught:
        assert cost("fc", bits=4) == ("fc", 4)
    (warning,) = caught
    assert str(warning.message) == (
        "bits= of cost is deprecated since lrmp 0.2 and leaves in 0.3 at the earliest: use "
        "weight_bits=."
    )
    assert warning.filename == __file__


def test_by_its_new_name_or_place_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cost("fc", weight_bits=4) == cost("fc", 4) == ("fc", 4)
        assert cost("fc") == ("fc", 8)


def test_both_names_are_refused():
    with pytest.raises(TypeError, match="Expected weight_bits of cost, got bits, its name before"):
        cost("fc", bits=4, weight_bits=4)


def test_the_new_name_alone_is_shown():
    assert list(inspect.signature(cost).parameters) == ["layer", "weight_bits"]
    assert cost.__doc__ == "Say what was asked for."
