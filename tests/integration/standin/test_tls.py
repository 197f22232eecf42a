"""Redis over TLS with a private authority: the files the application reads, and no others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.standin.probe import arrives, send
from tests.integration.standin.stack import STORES, Stack, image, wait
from tests.integration.standin.test_boot import extra, health

pytestmark = pytest.mark.engine


def _certificate(directory: Path, name: str) -> None:
    """ca.pem, and a server certificate for `name` signed by it."""
    now = dt.datetime.now(dt.UTC)
    keys = {who: ec.generate_private_key(ec.SECP256R1()) for who in ("ca", "server")}
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench authority")])
    for who, key in keys.items():
        subject = issuer if who == "ca" else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=who == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["ca"].public_key()), critical=False)
        )
        if who == "ca":
            usage = dict.fromkeys(
                [
                    "digital_signature",
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "crl_sign",
                    "encipher_only",
                    "decipher_only",
                ],
                False,
            )
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
        signed = builder.sign(keys["ca"], hashes.SHA256())
        (directory / f"{who}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (directory / f"{who}.key").write_bytes(pem)
        (directory / f"{who}.key").chmod(0o644)
    directory.chmod(0o755)


def test_redis_over_tls(stack: Stack, tmp_path: Path) -> None:
    _certificate(tmp_path, "redis-tls")
    mount = ("-v", f"{tmp_path}:/tls:ro")
    settings = (
        "--requirepass redissecret --port 0 --tls-port 6379 --tls-auth-clients no --tls-cert-file /tls/server.pem"
    )
    args = [*settings.split(), "--tls-key-file", "/tls/server.key", "--tls-ca-cert-file", "/tls/ca.pem"]
    stack.run("redis-tls", image(STORES[1]) or "", "valkey-server", *args, options=mount)
    secured = {"REDIS_HOST": "redis-tls", "REDIS_TLS_ENABLED": "true", "REDIS_TLS_CA_PATH": "/tls/ca.pem"}
    stack.options = mount
    try:
        with extra(stack, "web", "tls", **secured) as web, extra(stack, "worker", "tls", **secured) as worker:
            wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200, 30)
            trace, status, _ = send(stack.url(web))
            assert status == 200
            assert arrives(stack.url(web), trace)
        unread = {**secured, "REDIS_TLS_CA_PATH": "-", "REDIS_TLS_CA": "/tls/ca.pem"}
        with extra(stack, "worker", "tls", **unread) as worker:
            wait(lambda: health(stack, worker)[0] == 500, 20)
            assert "self-signed certificate in certificate chain" in stack.logs(worker)
    finally:
        stack.options = ()
        stack.remove("redis-tls")
