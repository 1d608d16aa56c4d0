"""The log: every decision of the board, chained, signed, mirrored."""
