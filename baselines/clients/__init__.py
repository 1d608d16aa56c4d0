"""Other libraries' agents on our environments: one short file per library, to copy."""
