"""Whether the drops of a table were found true where searches go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_UNJUDGED = "not judged on optimised designs"


@dataclass(frozen=True)
class TableVerdict:
    """What came of running designs on the network that optimisers had picked by a table.

    Attributes:
        misses: Why the table does not hold, a phrase each; none if it does.
    """

    misses: tuple[str, ...] = (_UNJUDGED,)

    @property
    def holds(self) -> bool:
        """Whether the network did what the table said."""
        return not self.misses

    @classmethod
    def of_provenance(cls, provenance: Mapping[str, Any]) -> "TableVerdict":
        """Read the verdict that stands in a table.

        Args:
            provenance: Of the table.

        Returns:
            The verdict; that of a table that was never judged where none stands.
        """
        if provenance.get("holds") is True:
            return cls(())
        return cls(tuple(map(str, provenance.get("misses", ()))) or (_UNJUDGED,))

    def to_json(self) -> dict[str, Any]:
        """Write the verdict as it stands in a table's provenance.

        Returns:
            Plain values.
        """
        return {"holds": self.holds, "misses": list(self.misses)}


#: Of tables that no optimised design was run for.
UNJUDGED = TableVerdict()
PREDICTED = TableVerdict(("predicted, not measured",))
