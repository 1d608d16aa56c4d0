"""Studies that ship with lrmp: ``lrmp study run NAME`` takes them by name, without ``.toml``."""

from pathlib import Path

from lrmp.errors import StudyError, unknown_name

_FOLDER = Path(__file__).parent


def list_studies() -> tuple[str, ...]:
    """List the names of the studies that ship.

    Returns:
        Names, sorted.
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def study_path(word: str) -> Path:
    """Find the file of a study.

    Args:
        word: A file, or the name of a study that ships.

    Returns:
        Its file; one that is named wins over one that ships.

    Raises:
        StudyError: If it is neither; the nearest name comes first.
    """
    path = Path(word)
    if path.suffix == ".toml" or path.exists():
        return path
    if word not in list_studies():
        raise StudyError(unknown_name("the study (or its .toml file)", word, list_studies()))
    return _FOLDER / f"{word}.toml"
