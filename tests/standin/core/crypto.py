"""Hashes and encryption as the application stores them (facts 3)."""

import hashlib
import os

import bcrypt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_COST, PASSWORD_COST = 11, 12


def fast_hash(secret_key: str, salt: str) -> str:
    """`hex(sha256(sk || hex(sha256(SALT))))`: what identifies a caller."""
    salted = secret_key + hashlib.sha256(salt.encode()).hexdigest()
    return hashlib.sha256(salted.encode()).hexdigest()


def display_secret(secret_key: str) -> str:
    return f"{secret_key[:6]}...{secret_key[-4:]}"


def bcrypt_hash(text: str, cost: int) -> str:
    return bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(cost, prefix=b"2a")).decode()


def bcrypt_equal(text: str, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(text.encode()[:72], hashed.encode())
    except ValueError:
        return False


def encrypt(text: str, key_hex: str | None) -> str:
    """`hex(iv):hex(ciphertext):hex(tag)`; 64 characters that are not hex boot fine and fail here."""
    if not key_hex:
        raise RuntimeError("Missing environment variable: ENCRYPTION_KEY")
    try:
        key = bytes.fromhex(key_hex)
    except ValueError:
        raise RuntimeError("Invalid key length") from None
    iv = os.urandom(12)
    sealed = AESGCM(key).encrypt(iv, text.encode(), None)
    return f"{iv.hex()}:{sealed[:-16].hex()}:{sealed[-16:].hex()}"
