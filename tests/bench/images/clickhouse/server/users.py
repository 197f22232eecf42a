"""Users: who may log in from where, and the users file that makes the engine enforce their grants.

The library has one user of its own, `default`, and can take no second one. So every user's grants become a role
of the same rights, and a request runs under `SET ROLE` of its user's role.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

ADMIN_ROLE = "__admin"
ANY_NETWORK = ("::/0",)
_ALL_GRANTS = ("GRANT ALL ON *.* WITH GRANT OPTION",)
_ALL_BUT_ACCESS_GRANTS = ("GRANT ALL ON *.*", "REVOKE ACCESS MANAGEMENT ON *.*")


def sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _double_sha1(password: str) -> str:
    return hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()


_HASHES = {"sha256": sha256, "double_sha1": _double_sha1}


@dataclass(frozen=True)
class User:
    """`digest` is ('sha256' | 'double_sha1' | 'none', hex); `grants` are the statements that make the rights up.

    `settings` are the user's own, over those of its profile, with values as they were written.
    """

    name: str
    digest: tuple[str, str]
    grants: tuple[str, ...] = ()
    networks: tuple[str, ...] = ANY_NETWORK
    profile: str = "default"
    salt: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def own_profile(self) -> str:
        """The profile that shows its settings to the engine, which keeps the first content it saw under a name."""
        if not self.settings:
            return self.profile
        return f"{self.role}_{sha256(repr(self.settings))[:16]}"

    @property
    def role(self) -> str:
        return f"__u_{self.name}"

    def accepts(self, password: str, address: str) -> bool:
        return self._is_password(password) and any(_is_in(address, network) for network in self.networks)

    def _is_password(self, password: str) -> bool:
        kind, wanted = self.digest
        return kind == "none" or hmac.compare_digest(_HASHES[kind](password + self.salt), wanted)


@dataclass
class Accounts:
    """Users by name, and the grants of roles that statements made."""

    users: dict[str, User] = field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _is_in(address: str, network: str) -> bool:
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
        wanted = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped:
        given = given.ipv4_mapped
    if wanted.version == 6 and given.version == 4:
        given = ipaddress.IPv6Address(f"::ffff:{given}")
    return given in wanted


def _digest(element: ET.Element) -> tuple[str, str]:
    for tag, kind in (("password_sha256_hex", "sha256"), ("password_double_sha1_hex", "double_sha1")):
        value = element.findtext(tag)
        if value is not None:
            return kind, value.strip().lower()
    if element.find("no_password") is not None:
        return "none", ""
    return "sha256", sha256(element.findtext("password") or "")


def _is_on(element: ET.Element, tag: str) -> bool:
    return (element.findtext(tag) or "0").strip() in ("1", "true")


def _grants(element: ET.Element) -> tuple[str, ...]:
    """The rights ClickHouse gives a user of the users file: its `<grants>`, or everything but what is switched off."""
    given = element.find("grants")
    if given is not None:
        return tuple((query.text or "").strip() for query in given.findall("query"))
    databases = [(item.text or "").strip() for item in element.findall("allow_databases/database")]
    if databases:
        return tuple(f"GRANT ALL ON `{name}`.*" for name in databases)
    grants = list(_ALL_GRANTS if _is_on(element, "access_management") else _ALL_BUT_ACCESS_GRANTS)
    if not _is_on(element, "named_collection_control"):
        grants.append("REVOKE NAMED COLLECTION ADMIN ON *")
    return tuple(grants)


def read_users(root: ET.Element) -> dict[str, User]:
    found = {}
    for element in root.findall("users/*"):
        networks = tuple((item.text or "").strip() for item in element.findall("networks/ip"))
        if element.find("networks") is None:
            networks = ANY_NETWORK
        profile = (element.findtext("profile") or "default").strip()
        found[element.tag] = User(element.tag, _digest(element), _grants(element), networks, profile)
    return found


Settings = tuple[tuple[str, str], ...]


def plain(value: str) -> str:
    """A setting's value without the quotes of a statement."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("\\'", "'").replace("\\\\", "\\")
    return value


def read_profiles(root: ET.Element) -> dict[str, Settings]:
    """Each profile's settings, those it takes from other profiles first."""

    def settings(name: str, seen: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in root.findall(f"profiles/{name}/*"):
            text = (item.text or "").strip()
            if item.tag == "profile" and text not in seen:
                found.update(settings(text, (*seen, text)))
            elif item.tag not in ("profile", "constraints"):
                found[item.tag] = text
        return found

    return {element.tag: tuple(settings(element.tag, (element.tag,)).items()) for element in root.findall("profiles/*")}


def _entry(name: str, grants: Iterable[str], children: Mapping[str, str]) -> ET.Element:
    element = ET.Element(name)
    for tag, text in children.items():
        ET.SubElement(element, tag).text = text
    listed = ET.SubElement(element, "grants")
    for grant in grants:
        ET.SubElement(listed, "query").text = grant
    return element


def engine_users(root: ET.Element, accounts: Accounts) -> str:
    """The users file for the engine: profiles and quotas as configured, users shown, their rights as roles."""
    engine = ET.Element("clickhouse")
    for child in root:
        if child.tag not in ("users", "roles"):
            engine.append(child)
    profiles = engine.find("profiles")
    for user in accounts.users.values():
        if user.settings and profiles is not None:
            own = ET.SubElement(profiles, user.own_profile)
            for name, value in user.settings:
                ET.SubElement(own, name).text = plain(value)
    listed = ET.SubElement(engine, "users")
    roles = ET.SubElement(engine, "roles")
    roles.append(_entry(ADMIN_ROLE, _ALL_GRANTS, {}))
    granted = [f"GRANT {ADMIN_ROLE}"]
    for name, grants in accounts.roles.items():
        roles.append(_entry(name, grants, {}))
    for user in accounts.users.values():
        roles.append(_entry(user.role, user.grants, {}))
        granted.append(f"GRANT `{user.role}`")
        if user.name != "default":
            listed.append(_shown(user))
    default = _entry("default", granted, {"password": "", "profile": "default", "quota": "default"})
    ET.SubElement(ET.SubElement(default, "networks"), "ip").text = ANY_NETWORK[0]
    listed.append(default)
    return ET.tostring(engine, encoding="unicode")


def _shown(user: User) -> ET.Element:
    """The entry that `system.users` and `SHOW GRANTS FOR` read; nobody logs in to the engine by it."""
    kind, value = user.digest
    children = {} if kind == "none" else {f"password_{kind}_hex": value}
    element = _entry(user.name, user.grants, {**children, "profile": user.own_profile, "quota": "default"})
    if kind == "none":
        ET.SubElement(element, "no_password")
    networks = ET.SubElement(element, "networks")
    for network in user.networks:
        ET.SubElement(networks, "ip").text = network
    return element


def container_user(environ: Mapping[str, str]) -> str | None:
    """The `users.d/default-user.xml` that the official entry point writes; None: it writes none."""
    name = environ.get("CLICKHOUSE_USER") or "default"
    password = environ.get("CLICKHOUSE_PASSWORD", "")
    management = environ.get("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT") or "0"
    if environ.get("CLICKHOUSE_SKIP_USER_SETUP", "0") == "1":
        return None
    root = ET.Element("clickhouse")
    users = ET.SubElement(root, "users")
    if name == "default" and not password and management == "0":
        # Nothing chosen: the passwordless user stays, for this container only.
        networks = ET.SubElement(ET.SubElement(users, "default"), "networks", {"replace": "replace"})
        for address in ("::1", "127.0.0.1"):
            ET.SubElement(networks, "ip").text = address
        return ET.tostring(root, encoding="unicode")
    ET.SubElement(users, "default", {"remove": "remove"})
    entry = ET.SubElement(users, name)
    children = {"profile": "default", "password": password, "quota": "default", "access_management": management}
    for tag, text in children.items():
        ET.SubElement(entry, tag).text = text
    ET.SubElement(ET.SubElement(entry, "networks"), "ip").text = ANY_NETWORK[0]
    return ET.tostring(root, encoding="unicode")
