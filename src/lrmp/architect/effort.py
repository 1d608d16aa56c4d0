"""How much is run in search of a design."""

from dataclasses import asdict, dataclass

from lrmp.errors import RunError


@dataclass(frozen=True)
class Effort:
    """How much is run.

    Attributes:
        random: Random designs that the first table is fitted to.
        near: Designs near the best, of every round and chip.
        rounds: Most rounds.
        checks: Most designs of a chip that run on images which no search has seen.
        seed: Of what is left out near the best.

    Raises:
        RunError: If a number is out of range.
    """

    random: int = 24
    near: int = 8
    rounds: int = 10
    checks: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        least = {"random": 10, "rounds": 1, "checks": 1}
        for name, value in asdict(self).items():
            if type(value) is not int or value < least.get(name, 0):
                raise RunError(f"Expected {name} of at least {least.get(name, 0)}, got {value!r}.")


USUAL_EFFORT = Effort()
