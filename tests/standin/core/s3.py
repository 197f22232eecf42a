"""The three object storage groups (event, media, export): no fallback between them, nothing checked at boot.

Signature version 4 as the AWS SDK for JavaScript signs; presigned uploads sign content-length, content-type, host and
x-amz-checksum-sha256.
"""

import datetime as dt
import hashlib
import hmac
import re
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

import aiohttp
from yarl import URL

from .environment import Env

Group = Literal["EVENT_UPLOAD", "MEDIA_UPLOAD", "BATCH_EXPORT"]


class StorageError(Exception):
    """`code` is S3's own code (`NoSuchKey`, `SignatureDoesNotMatch`) or a connection error text."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Store:
    bucket: str
    region: str
    endpoint: str | None
    access_key: str
    secret_key: str
    path_style: bool
    prefix: str

    @staticmethod
    def of(env: Env, group: Group) -> "Store":
        name = f"LANGFUSE_S3_{group}"
        return Store(
            bucket=env.text(f"{name}_BUCKET") or "",
            region=env.text(f"{name}_REGION") or env.raw("AWS_REGION") or "us-east-1",
            endpoint=env.text(f"{name}_ENDPOINT"),
            access_key=env.text(f"{name}_ACCESS_KEY_ID") or env.raw("AWS_ACCESS_KEY_ID") or "",
            secret_key=env.text(f"{name}_SECRET_ACCESS_KEY") or env.raw("AWS_SECRET_ACCESS_KEY") or "",
            path_style=env.flag(f"{name}_FORCE_PATH_STYLE"),
            prefix=env.text(f"{name}_PREFIX") or "",
        )

    def base(self) -> tuple[str, str]:
        """scheme://host[:port] and the path before the key."""
        parts = urlsplit(self.endpoint or f"https://s3.{self.region}.amazonaws.com")
        path = parts.path.rstrip("/")
        if self.path_style:
            return f"{parts.scheme}://{parts.netloc}", f"{path}/{self.bucket}"
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}", path


def _escape(text: str, safe: str = "") -> str:
    return quote(text, safe=safe + "-_.~")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(
    store: Store, method: str, path: str, query: dict[str, str], headers: dict[str, str], payload: str, now: dt.datetime
) -> str:
    """The hex signature over these headers (lower-case names) and this query."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    canonical_query = "&".join(f"{_escape(k)}={_escape(v)}" for k, v in sorted(query.items()))
    canonical_headers = "".join(f"{k}:{v}\n" for k, v in sorted(headers.items()))
    request = "\n".join([method, path, canonical_query, canonical_headers, ";".join(sorted(headers)), payload])
    scope = f"{day}/{store.region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{store.secret_key}".encode()
    for part in (day, store.region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return _hmac(key, to_sign).hex()


def presign(
    store: Store,
    method: str,
    key: str,
    expires: int,
    signed: dict[str, str] | None = None,
    now: dt.datetime | None = None,
) -> str:
    """A URL any client can use; `signed` are the headers it must send unchanged."""
    now = now or dt.datetime.now(dt.UTC)
    origin, base = store.base()
    path = f"{base}/{_escape(key, '/')}"
    headers = {"host": urlsplit(origin).netloc, **(signed or {})}
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
        "X-Amz-Credential": f"{store.access_key}/{now:%Y%m%d}/{store.region}/s3/aws4_request",
        "X-Amz-Date": now.strftime("%Y%m%dT%H%M%SZ"),
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(sorted(headers)),
        "x-id": "PutObject" if method == "PUT" else "GetObject",
    }
    query["X-Amz-Signature"] = signature(store, method, path, query, headers, "UNSIGNED-PAYLOAD", now)
    return f"{origin}{path}?" + "&".join(f"{_escape(k)}={_escape(v)}" for k, v in sorted(query.items()))


class S3:
    """Put, get, list and delete over one shared client session."""

    def __init__(self, store: Store, session: aiohttp.ClientSession) -> None:
        self.store = store
        self._session = session

    async def _call(self, method: str, key: str | None, query: str = "", body: bytes = b"", mime: str = "") -> bytes:
        store = self.store
        now = dt.datetime.now(dt.UTC)
        origin, base = store.base()
        path = f"{base}/{_escape(key, '/')}" if key is not None else (base or "/")
        payload = hashlib.sha256(body).hexdigest()
        headers = {
            "host": urlsplit(origin).netloc,
            "x-amz-content-sha256": payload,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        if mime:
            headers["content-type"] = mime
        values = dict(parse_qsl(query, keep_blank_values=True))
        seal = signature(store, method, path, values, headers, payload, now)
        scope = f"{now:%Y%m%d}/{store.region}/s3/aws4_request"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={store.access_key}/{scope}, "
            f"SignedHeaders={';'.join(sorted(headers))}, Signature={seal}"
        )
        wire = "&".join(f"{_escape(k)}={_escape(v)}" for k, v in sorted(values.items()))
        url = URL(f"{origin}{path}" + (f"?{wire}" if wire else ""), encoded=True)
        try:
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                content = await answer.read()
                if answer.status >= 300:
                    found = re.search(rb"<Code>([^<]+)</Code>", content)
                    raise StorageError(found.group(1).decode() if found else str(answer.status), answer.status)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as exc:
            raise StorageError(str(exc) or type(exc).__name__) from exc

    async def put(self, key: str, body: bytes, mime: str = "application/json") -> None:
        await self._call("PUT", key, body=body, mime=mime)

    async def get(self, key: str) -> bytes:
        return await self._call("GET", key)

    async def delete(self, key: str) -> None:
        await self._call("DELETE", key)

    async def list(self, prefix: str) -> list[str]:
        """First page only, 200 keys, as the worker asks."""
        answer = await self._call("GET", None, f"list-type=2&max-keys=200&prefix={quote(prefix, safe='')}")
        return [k.decode() for k in re.findall(rb"<Key>([^<]+)</Key>", answer)]
