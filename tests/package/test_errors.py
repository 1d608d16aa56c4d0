"""The error for a name that does not exist: short, and the nearest first."""

from lrmp.errors import unknown_name, unlike_names


def test_the_nearest_comes_first_whatever_its_case():
    assert unknown_name("colour", "REDD", ["blue", "red", "green"]) == (
        "Expected colour to be one of red, blue, green; got 'REDD'. Did you mean 'red'?"
    )


def test_at_most_five_are_named():
    known = [f"layer{number}.conv" for number in range(200)]
    text = unknown_name("layer", "layer77", known)
    assert text.startswith("Expected layer to be one of layer77.conv, layer")
    assert text.endswith(" and 195 more; got 'layer77'. Did you mean 'layer77.conv'?")
    assert sum(name in text.split(", ") for name in known) <= 5


def test_without_a_near_name_the_first_are_named():
    assert unknown_name("id", "xyzzy", "gfedcba") == (
        "Expected id to be one of a, b, c, d, e and 2 more; got 'xyzzy'."
    )


def test_names_that_differ_in_case_alone_are_both_near():
    assert unknown_name("layer", "fc9", ["Fc1", "fc1"]).startswith(
        "Expected layer to be one of Fc1, fc1; got 'fc9'. Did you mean"
    )


def test_what_is_compared_may_differ_from_what_is_shown():
    assert unknown_name("task", "a:apple", ["apples", "a:appl"], like="apple").endswith(
        "got 'a:apple'. Did you mean 'apples'?"
    )


def test_names_in_another_order_are_told_by_the_first_that_differs():
    names = [f"conv{number}" for number in range(100)]
    assert unlike_names("layers", names, [*names[:7], "fc", *names[8:]]) == (
        "100 layers, number 8 'conv7'; got 100 layers, number 8 'fc'"
    )
    assert unlike_names("layers", names, names[:3]) == (
        "100 layers, number 4 'conv3'; got 3 layers, number 4 none"
    )
