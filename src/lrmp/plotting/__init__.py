"""Pictures of designs and chips. Nobody who need not draw imports this."""
