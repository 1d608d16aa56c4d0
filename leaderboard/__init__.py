"""Who is best: records are validated, replayed, stored and ranked."""
