"""How agents are trained and designs are searched: one file per algorithm."""
