"""Ed25519 signatures of the log's head."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lrmp.errors import BoardError


class Signer:
    """Signs heads of the log.

    Args:
        key: The private half.

    Attributes:
        public: The public half, hexadecimal.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    def derive(self, purpose: str) -> str:
        """Derive another secret from the key.

        Args:
            purpose: What it is for; each has its own.

        Returns:
            256 bits, hexadecimal.
        """
        key = HKDF(SHA256(), length=32, salt=None, info=purpose.encode())
        return key.derive(self._key.private_bytes_raw()).hex()

    def sign(self, number: int, chain: str) -> str:
        """Sign the head that the log has with an item.

        Args:
            number: Of the item.
            chain: Hash of the item, over all before it.

        Returns:
            The signature, hexadecimal.
        """
        return self._key.sign(_message(number, chain)).hex()


def load_signer(path: Path, *, make: bool = False) -> Signer:
    """Read a private key.

    Args:
        path: PEM file.
        make: Whether to make a key where there is no file; only its owner may read it.

    Returns:
        The signer.

    Raises:
        BoardError: If there is no file, or it holds no Ed25519 key.
    """
    try:
        if make and not path.exists():
            _make_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BoardError(f"Expected a signing key in {path}: {error}. Restore the file.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BoardError(f"Expected an Ed25519 key in {path}, got another kind.")
    return Signer(key)


def is_signed(number: int, chain: str, signature: str, public: str) -> bool:
    """Check a signature.

    Args:
        number: Of the item.
        chain: Hash of the item.
        signature: Hexadecimal.
        public: Public half of the key, hexadecimal.

    Returns:
        Whether the holder of the key signed this head.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), _message(number, chain))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(number: int, chain: str) -> bytes:
    return f"lrmp board log {number} {chain}".encode()


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Written under another name first: of two processes that make a key, both read the first one's.
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
