"""What the command line tells the shell."""

EXIT_OK, EXIT_REFUSED, EXIT_BAD_INPUT, EXIT_BUG = 0, 1, 2, 70
EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 130, 141

EPILOG = (
    "Exit codes: 0 done, 1 a record was refused, or a validation case or run failed, 2 bad input, "
    "70 a bug of lrmp, 130 interrupted."
)
