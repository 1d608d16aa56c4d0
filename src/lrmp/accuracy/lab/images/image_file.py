"""Decoding one image that a stranger may have made."""

import io
import warnings
from typing import TYPE_CHECKING

from lrmp.errors import AccuracyDataError

if TYPE_CHECKING:
    from PIL import Image

#: Of an image as it is stored, and as it is resized; ImageNet's largest has a third of that.
MAX_PIXELS = 2**26
MAX_FILE_BYTES = 2**26

#: Pillow would also take formats that are run by other programs, as PostScript is.
FORMATS = ("JPEG", "PNG")


def decode_image(data: bytes, what: str, formats: tuple[str, ...] = FORMATS) -> "Image.Image":
    """Decode an image; its size is checked before its pixels.

    Args:
        data: The file.
        what: What is expected, for the error message.
        formats: Those of Pillow that it may have.

    Returns:
        The image, RGB.

    Raises:
        AccuracyDataError: If it is no whole image, or has more than ``MAX_PIXELS``.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked, and of odd metadata
            image = Image.open(io.BytesIO(data), formats=formats)
            width, height = image.size
            if not 0 < width * height <= MAX_PIXELS:
                raise AccuracyDataError(
                    f"Expected {what} of at most {MAX_PIXELS} pixels, got {width} x {height}."
                )
            return image.convert("RGB")
    except AccuracyDataError:
        raise
    except Exception as error:  # decoders raise whatever damage leads them to
        raise AccuracyDataError(f"Expected {what}: {error}. Fetch it again.") from error
