"""What the command line tells the shell."""

from lrmp.text_table import fold

EXIT_OK, EXIT_REFUSED, EXIT_BAD_INPUT, EXIT_BUG = 0, 1, 2, 70
EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 130, 141

#: What every code means.
EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_REFUSED: "a record was refused, or a validation case, run or design failed",
    EXIT_BAD_INPUT: "bad input",
    EXIT_BUG: "a bug of lrmp",
    EXIT_INTERRUPTED: "interrupted",
    EXIT_BROKEN_PIPE: "the reader of a pipe went away",
}
#: The end of every help.
EPILOG = fold(
    f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())}.", 79
)
