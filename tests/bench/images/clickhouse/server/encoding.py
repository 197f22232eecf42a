"""Bodies as they are on the wire: Content-Encoding both ways, and ClickHouse's own `decompress=1` blocks."""

from __future__ import annotations

import gzip
import importlib
import struct
import zlib
from typing import Any

_BLOCK_HEADER = struct.Struct("<16sBII")
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_SIZE_FIELDS = 9


def _module(name: str) -> Any:
    """Only when asked for: both are compiled modules that most requests do not need."""
    return importlib.import_module(name)


def _lz4_frames(data: bytes) -> bytes:
    """All frames: clients send several, and a plain decompress would return the first ones only."""
    frame, out = _module("lz4.frame"), []
    while data:
        reader = frame.LZ4FrameDecompressor()
        out.append(reader.decompress(data))
        data = reader.unused_data or b""
    return b"".join(out)


def decode(data: bytes, encoding: str) -> bytes:
    """ValueError on an encoding that is not known."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not data:
        return data
    if name in ("gzip", "x-gzip"):
        return gzip.decompress(data)
    if name == "deflate":
        return zlib.decompress(data)
    if name == "lz4":
        return _lz4_frames(data)
    if name == "zstd":
        out: bytes = _module("zstandard").ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        return out
    raise ValueError(f"Unknown compression method {encoding}")


def choose(accepted: str) -> str:
    """The encoding for an answer, out of an Accept-Encoding header; empty for none."""
    offered = [item.partition(";")[0].strip().lower() for item in accepted.split(",")]
    return next((name for name in ("lz4", "zstd", "gzip", "deflate") if name in offered), "")


def encode(data: bytes, encoding: str) -> bytes:
    packed = data
    if encoding == "gzip":
        packed = gzip.compress(data, 1)
    elif encoding == "deflate":
        packed = zlib.compress(data, 1)
    elif encoding == "lz4":
        packed = _module("lz4.frame").compress(data)
    elif encoding == "zstd":
        packed = _module("zstandard").ZstdCompressor(level=1).compress(data)
    return packed


def decode_blocks(data: bytes) -> bytes:
    """ClickHouse's compressed blocks: checksum (not verified), method, both sizes, then the block."""
    out = []
    while data:
        _, method, packed, plain = _BLOCK_HEADER.unpack_from(data)
        body = data[_BLOCK_HEADER.size : _BLOCK_HEADER.size + packed - _SIZE_FIELDS]
        if method == _LZ4:
            out.append(_module("lz4.block").decompress(body, uncompressed_size=plain))
        elif method == _ZSTD:
            out.append(_module("zstandard").ZstdDecompressor().decompress(body, max_output_size=plain))
        elif method == _NONE:
            out.append(body)
        else:
            raise ValueError(f"Unknown compression method {method:#x}")
        data = data[_BLOCK_HEADER.size + packed - _SIZE_FIELDS :]
    return b"".join(out)
