from hypothesis import given
from hypothesis import strategies as st

from lrmp.text_table import LEAST, Column, fold, format_table

WHY = "as it was measured on the chip itself"
NAMES = ["features.conv.0.pointwise", "fc"]
TABLE = [
    Column("layer", NAMES, text=True, fit="shorten"),
    Column("weight_bits", ["8", "4"]),
    Column("cycles before", ["1,024", "7"], leaves=2),
    Column("why", [WHY, "-"], text=True, fit="wrap"),
    Column("code", ["yes", "-"], text=True, leaves=1),
]


def lines(width=None):
    return format_table(TABLE, width).splitlines()


def test_without_a_width_a_row_is_a_line():
    assert format_table(TABLE).splitlines() == [
        f"layer{' ' * 22}weight_bits  cycles before  why{' ' * 36}code",
        f"features.conv.0.pointwise{' ' * 12}8          1,024  {WHY}  yes",
        f"fc{' ' * 35}4              7  -{' ' * 38}-",
    ]


def test_titles_break_and_sentences_go_on():
    assert format_table(TABLE, 80).splitlines() == [
        "                           weight_  cycles",
        "layer                         bits  before  why                             code",
        "features.conv.0.pointwise        8   1,024  as it was measured on the chip  yes",
        "                                            itself",
        "fc                               4       7  -                               -",
    ]


def test_names_give_way_after_a_column_left():
    assert format_table(TABLE, 58).splitlines() == [
        "                         weight_  cycles",
        "layer                       bits  before  why",
        "features.co…0.pointwise        8   1,024  as it was",
        "                                          measured on the",
        "                                          chip itself",
        "fc                             4       7  -",
        "(no room for: code)",
    ]


def test_names_lose_their_middle():
    column = Column("layer", ["stem", "a" * 30 + "b" * 30], text=True, fit="shorten")
    assert format_table([column], 25).splitlines() == [
        "layer",
        "stem",
        f"{'a' * 12}…{'b' * 12}",
    ]


def test_columns_leave_in_their_order_and_are_named():
    columns = [Column("id", ["x" * 10], text=True)]
    columns += [Column(title, ["1" * 10], leaves=leaves) for title, leaves in (("b", 2), ("a", 1))]
    assert format_table(columns, 34).splitlines()[0] == "id                   b           a"
    assert format_table(columns, 33).splitlines() == [
        "id                   b",
        "xxxxxxxxxx  1111111111",
        "(no room for: a)",
    ]
    assert format_table(columns, 21).splitlines()[-1] == "(no room for: a, b)"


def test_what_may_not_leave_stays_even_without_room():
    assert format_table([Column("id", ["x" * 10])], 4).splitlines()[1] == "x" * 10


def test_control_characters_are_escaped_and_counted():
    lines = format_table([Column("a", ["\x1b[1m", "y"]), Column("b", ["1", "2"])]).splitlines()
    assert lines == ["      a  b", r"\x1b[1m  1".rjust(10), "      y  2"]


cells = st.lists(st.text("ab c_", max_size=40), min_size=3, max_size=3)
columns_ = st.lists(
    st.builds(
        Column,
        title=st.text("ab _", max_size=20),
        cells=cells,
        text=st.booleans(),
        fit=st.sampled_from(["whole", "shorten", "wrap"]),
        leaves=st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


@given(columns_, st.integers(20, 200))
def test_a_table_is_as_wide_as_it_may_be_or_has_nothing_left_to_give(columns, width):
    lines = format_table(columns, width).splitlines()
    kept = [column for column in columns if not column.leaves]
    least = sum(column.least for column in kept) + 2 * (len(kept) - 1)
    assert max(map(len, lines)) <= max(width, least)


@given(columns_)
def test_a_table_without_a_width_has_a_line_per_row_and_all_its_words(columns):
    lines = format_table(columns).split("\n")
    assert len(lines) == 4
    for index, line in enumerate(lines[1:]):
        wanted = [word for column in columns for word in column.cells[index].split()]
        assert line.split() == wanted


def test_fold():
    text = "  tiles   one two three four five six\n  short"
    assert fold(text, None) == text
    assert fold(text, 20, indent=4) == "  tiles   one two\n    three four five\n    six\n  short"
    assert fold("a\n\nb", 20) == "a\n\nb"
    word = "x" * (2 * LEAST["wrap"])
    assert fold(word, 20) == word
