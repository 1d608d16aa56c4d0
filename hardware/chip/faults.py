"""All that is wrong with a file, told at once."""

from types import TracebackType

from lrmp.errors import PresetError


class Faults:
    """Collects what is wrong, in blocks: ``with faults:`` keeps the first error of each."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._sentences)

    def __enter__(self) -> "Faults":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, PresetError):
            self.add(str(error))
            return True
        return False

    def add(self, sentence: str) -> None:
        """Keep a sentence.

        Args:
            sentence: What was expected, and what was found.
        """
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    def raise_all(self, name: str) -> None:
        """Raise what was kept.

        Args:
            name: Of the chip.

        Raises:
            PresetError: If there is anything.
        """
        if len(self._sentences) == 1:
            raise PresetError(self._sentences[0])
        if self._sentences:
            listed = " ".join(f"({n}) {text}" for n, text in enumerate(self._sentences, start=1))
            raise PresetError(
                f"Expected preset {name!r} without faults, got {len(self._sentences)}: {listed}"
            )
