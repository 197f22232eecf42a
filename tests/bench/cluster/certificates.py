"""The cluster's authorities and certificates, and kubeconfigs made of them. New with every cluster."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.bench.cluster.layout import (
    API_SERVICE_ADDRESS,
    CLUSTER_DOMAIN,
    NODE,
    NODE_ADDRESS,
    Layout,
)

_DAYS = 30
_PRIVATE = 0o600


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every = (*names, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


class Authority:
    """Signs certificates for servers and for users."""

    def __init__(self, common_name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(common_name)
        builder = _builder(self._subject, self._subject, self._key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(
            _usage(key_cert_sign=True, crl_sign=True, digital_signature=True), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pair(self) -> Pair:
        return Pair(self._certificate.public_bytes(serialization.Encoding.PEM), _key_text(self._key))

    def issue(self, common_name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> Pair:
        """For a user of these groups; with `hosts` (names and addresses) for a server as well."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = _builder(_name(common_name, groups), self._subject, key)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_text(key))


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def kubeconfig(authority: bytes, user: Pair, server: str) -> dict[str, Any]:
    """One that needs no other file."""

    def text(value: bytes) -> str:
        return base64.b64encode(value).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": {"server": server, "certificate-authority-data": text(authority)}}],
        "users": [
            {
                "name": "user",
                "user": {"client-certificate-data": text(user.certificate), "client-key-data": text(user.key)},
            }
        ],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "user"}}],
        "current-context": "bench",
    }


# Users of the API server: name of the kubeconfig -> user and groups, as `kubeadm` names them.
_USERS = {
    "controllers": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
    "kubelet": (f"system:node:{NODE}", ("system:nodes",)),
    "proxy": ("system:kube-proxy", ()),
    # Of the bench: network policies and volumes.
    "agent": ("bench-agent", ("system:masters",)),
    "sources": ("bench-sources", ("system:masters",)),
}


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=_PRIVATE)
    path.write_bytes(content)


def write_pair(folder: Path, name: str, pair: Pair) -> None:
    _write(folder / f"{name}.crt", pair.certificate)
    _write(folder / f"{name}.key", pair.key)


def write_all(layout: Layout) -> None:
    """Every key of a new cluster. Two authorities: the front proxy's must not let users in."""
    folder = layout.certificates
    for each in (folder, layout.configuration):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    users, front = Authority("bench"), Authority("bench-front-proxy")
    write_pair(folder, "ca", users.pair)
    write_pair(folder, "front-proxy-ca", front.pair)
    write_pair(folder, "front-proxy", front.issue("front-proxy-client"))
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    hosts = [*names, "localhost", NODE_ADDRESS, API_SERVICE_ADDRESS, layout.addresses.host]
    write_pair(folder, "apiserver", users.issue("kube-apiserver", hosts=hosts))
    write_pair(folder, "apiserver-kubelet", users.issue("kube-apiserver-kubelet-client", ("system:masters",)))
    signer = ec.generate_private_key(ec.SECP256R1())
    _write(folder / "service-accounts.key", _key_text(signer))
    public = signer.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    _write(folder / "service-accounts.pub", public.public_bytes(serialization.Encoding.PEM, form))
    for name, (user, groups) in _USERS.items():
        _write_kubeconfig(layout, layout.kubeconfig_of(name), users, user, groups)
    _write_kubeconfig(layout, layout.kubeconfig, users, "bench-admin", ("system:masters",))


def _write_kubeconfig(layout: Layout, path: Path, authority: Authority, user: str, groups: Sequence[str]) -> None:
    content = kubeconfig(authority.pair.certificate, authority.issue(user, groups), layout.addresses.server)
    _write(path, yaml.safe_dump(content, sort_keys=False).encode())
