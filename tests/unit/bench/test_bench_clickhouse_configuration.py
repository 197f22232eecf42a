from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.images.clickhouse.server.configuration import (
    ConfigurationError,
    engine_configuration,
    files_in,
    fill_from_environment,
    merge,
    parse,
)
from tests.bench.images.clickhouse.server.users import (
    Accounts,
    User,
    container_user,
    engine_users,
    read_profiles,
    read_users,
    sha256,
)

BASE = (
    "<clickhouse><a>1</a><list><x>1</x></list><users><default><password/><networks><ip>::/0</ip></networks>"
    "<profile>default</profile></default></users></clickhouse>"
)


def _merged(*extra: str) -> ET.Element:
    root = parse(BASE, "base")
    for text in extra:
        merge(root, parse(f"<clickhouse>{text}</clickhouse>", "extra"))
    return root


@pytest.mark.parametrize(
    ("extra", "path", "expected"),
    [
        ("<a>2</a>", "a", "2"),
        ("<b>3</b>", "b", "3"),
        ("<list><y>2</y></list>", "list/x", "1"),
        ("<list><x>5</x></list>", "list/x", "5"),
        ('<list replace="replace"><y>2</y></list>', "list/x", None),
        ('<list replace="1"><y>2</y></list>', "list/y", "2"),
        ('<list remove="remove"/>', "list", None),
        ('<list remove="1"/>', "list/x", None),
    ],
)
def test_merge(extra: str, path: str, expected: str | None) -> None:
    assert _merged(extra).findtext(path) == expected


def test_profiles_of_two_files_add_up() -> None:
    root = _merged(
        "<profiles><default><m>1</m></default></profiles>", "<profiles><default><n>2</n></default></profiles>"
    )
    assert (root.findtext("profiles/default/m"), root.findtext("profiles/default/n")) == ("1", "2")


def test_values_from_the_environment() -> None:
    root = parse('<clickhouse><password from_env="PW"/></clickhouse>', "x")
    fill_from_environment(root, {"PW": "s<&"})
    assert root.findtext("password") == "s<&"
    with pytest.raises(ConfigurationError, match="NOPE is not set"):
        fill_from_environment(parse('<clickhouse><p from_env="NOPE"/></clickhouse>', "x"), {})


@pytest.mark.parametrize(("text", "message"), [("<clickhouse>", "x.xml"), ("<config/>", "root element is <config>")])
def test_bad_files_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(text, "x.xml")


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("one/b.xml", "two/a.xml", "one/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = files_in(tmp_path / "one", tmp_path / "two", tmp_path / "none")
    assert [path.name for path in found] == ["a.xml", "b.xml"]


def test_engine_gets_the_settings_but_not_the_listeners() -> None:
    given = "<http_port>1</http_port><tcp_port>2</tcp_port><logger/><mark_cache_size>5</mark_cache_size>"
    text = engine_configuration(parse(f"<clickhouse>{given}</clickhouse>", "x"), Path("/run/users.xml"))
    kept = "<tcp_port>2</tcp_port><mark_cache_size>5</mark_cache_size>"
    assert text == f"<clickhouse>{kept}<users_config>/run/users.xml</users_config></clickhouse>"


def test_container_user_replaces_default() -> None:
    text = container_user({"CLICKHOUSE_USER": "app", "CLICKHOUSE_PASSWORD": "p&<", "CLICKHOUSE_DB": "x"})
    assert text is not None
    root = _merged()
    merge(root, parse(text, "x"))
    users = read_users(root)
    assert list(users) == ["app"]
    assert users["app"].accepts("p&<", "172.17.0.1")
    assert not users["app"].accepts("p&", "172.17.0.1")
    assert "REVOKE ACCESS MANAGEMENT ON *.*" in users["app"].grants


def test_without_any_choice_default_is_for_the_container_only() -> None:
    text = container_user({})
    assert text is not None
    root = _merged()
    merge(root, parse(text, "x"))
    default = read_users(root)["default"]
    assert default.accepts("", "127.0.0.1")
    assert default.accepts("", "::ffff:127.0.0.1")
    assert not default.accepts("", "172.17.0.1")


def test_skipping_the_set_up() -> None:
    assert container_user({"CLICKHOUSE_SKIP_USER_SETUP": "1", "CLICKHOUSE_USER": "app"}) is None


@pytest.mark.parametrize(
    ("entry", "password", "expected"),
    [
        ("<password>x</password>", "x", True),
        ("<password>x</password>", "", False),
        (f"<password_sha256_hex>{sha256('x').upper()}</password_sha256_hex>", "x", True),
        (
            "<password_double_sha1_hex>e97d7a2eb5b3ae8f55f5ac13f7c0f0bd4dd64ba8</password_double_sha1_hex>",
            "other",
            False,
        ),
        ("<no_password/>", "anything", True),
    ],
)
def test_passwords(entry: str, password: str, expected: bool) -> None:
    root = parse(f"<clickhouse><users><u>{entry}</u></users></clickhouse>", "x")
    assert read_users(root)["u"].accepts(password, "10.0.0.1") is expected


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        (("::/0",), "10.1.2.3", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "192.168.0.1", False),
        (("::1",), "127.0.0.1", False),
        (("fd00::/8",), "fd00::5%eth0", True),
        ((), "10.1.2.3", False),
    ],
)
def test_networks(networks: tuple[str, ...], address: str, expected: bool) -> None:
    assert User("u", ("none", ""), networks=networks).accepts("", address) is expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "<access_management>1</access_management>",
            ("GRANT ALL ON *.* WITH GRANT OPTION", "REVOKE NAMED COLLECTION ADMIN ON *"),
        ),
        ("<grants><query>GRANT SELECT ON a.*</query></grants>", ("GRANT SELECT ON a.*",)),
        ("<allow_databases><database>a</database></allow_databases>", ("GRANT ALL ON `a`.*",)),
    ],
)
def test_grants_of_the_users_file(entry: str, expected: tuple[str, ...]) -> None:
    root = parse(f"<clickhouse><users><u>{entry}</u></users></clickhouse>", "x")
    assert read_users(root)["u"].grants == expected


def test_profiles_take_from_each_other() -> None:
    root = parse(
        "<clickhouse><profiles><base><a>1</a><b>1</b></base><top><profile>base</profile><b>2</b>"
        "<constraints><a><max>3</max></a></constraints></top><loop><profile>loop</profile></loop></profiles></clickhouse>",
        "x",
    )
    assert read_profiles(root) == {
        "base": (("a", "1"), ("b", "1")),
        "top": (("a", "1"), ("b", "2")),
        "loop": (),
    }


def test_every_user_is_a_role_in_the_engine() -> None:
    accounts = Accounts({"app": User("app", ("none", ""), ("GRANT SELECT ON a.*",))}, {"r": ("GRANT INSERT ON b.*",)})
    root = parse("<clickhouse><profiles><default><x>1</x></default></profiles><users><gone/></users></clickhouse>", "x")
    engine = ET.fromstring(engine_users(root, accounts))
    assert engine.findtext("profiles/default/x") == "1"
    assert [entry.tag for entry in engine.findall("users/*")] == ["app", "default"]
    assert [entry.tag for entry in engine.findall("roles/*")] == ["__admin", "r", "__u_app"]
    assert engine.findtext("roles/__u_app/grants/query") == "GRANT SELECT ON a.*"
