from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest
import requests

from tests.bench.images.clickhouse.server import native
from tests.integration.bench.clickhouse import ENVIRONMENT, OPTIONS, PASSWORD, USER, Client, Refused, ready, start
from tests.integration.bench.containers import Bench, Container, docker

pytestmark = pytest.mark.engine

RAW = "input_format_read_datetime_number_as_raw_value"
MILLISECONDS = 1732212345678


def profile(directory: Path, text: str) -> str:
    """A mount for `users.d` that the container's user can read."""
    file = directory / "profile.xml"
    file.write_text(f"<clickhouse>{text}</clickhouse>")
    for path in (directory, *directory.parents[:2]):
        path.chmod(0o755)
    return f"{file}:/etc/clickhouse-server/users.d/langfuse.xml:ro"


@pytest.fixture(scope="module")
def server(bench: Bench) -> Client:
    return start(
        bench,
        "-v",
        f"{bench.volume()}:/var/lib/clickhouse",
        "--tmpfs=/etc/clickhouse-server/users.d:uid=101,gid=101,mode=0750",
    )


def test_version_zone_and_database(server: Client) -> None:
    assert server("SELECT version() LIKE '26.9.%', timezone()") == "1\tUTC"
    assert "langfuse" in server("SHOW DATABASES").split()


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), (USER, ""), ("nobody", PASSWORD), ("default", ""), ("default", PASSWORD)]
)
def test_wrong_credentials(server: Client, user: str, password: str) -> None:
    with pytest.raises(Refused, match="AUTHENTICATION_FAILED") as refused:
        Client(server.container, user, password)("SELECT 1")
    assert (refused.value.status, refused.value.code) == (403, 516)


def test_ways_to_log_in(server: Client) -> None:
    query = {"query": "SELECT 1"}
    basic = requests.get(server.address, params=query, auth=(USER, PASSWORD), timeout=60)
    in_address = requests.get(server.address, params={**query, "user": USER, "password": PASSWORD}, timeout=60)
    assert [basic.text, in_address.text] == ["1\n", "1\n"]


@pytest.mark.parametrize(
    ("sql", "parameters", "status", "code"),
    [
        ("SELEC 1", {}, 400, 62),
        ("SELECT * FROM langfuse.nothing", {}, 404, 60),
        ("SELECT 1", {"database": "nothing"}, 404, 81),
        ("SELECT 1", {"no_such_setting": "1"}, 404, 115),
        ("SELECT throwIf(1)", {}, 500, 395),
        ("SELECT 1; SELECT 2", {}, 400, 62),
    ],
)
def test_errors(server: Client, sql: str, parameters: dict[str, str], status: int, code: int) -> None:
    with pytest.raises(Refused, match=rf"^Code: {code}\. DB::Exception: ") as refused:
        server.send(sql, None, **parameters)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_parameters_settings_formats(server: Client) -> None:
    sql = "SELECT {a:Array(String)} AS a, {n:Nullable(Int64)} AS n, getSetting('max_threads') AS t"
    answer = server.send(sql, param_a="['x','it''s']", param_n="-5", max_threads="3", default_format="JSONEachRow")
    assert answer.json() == {"a": ["x", "it's"], "n": -5, "t": 3}
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert (
        server.send("SELECT 1 FORMAT JSON", default_format="CSV").headers["Content-Type"].startswith("application/json")
    )


def test_get_cannot_write(server: Client) -> None:
    query = {"query": "CREATE TABLE langfuse.never (a Int8) ENGINE = Memory"}
    answer = requests.get(server.address, params=query, auth=(USER, PASSWORD), timeout=60)
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"


def test_inserts(server: Client) -> None:
    server("CREATE TABLE langfuse.rows (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    settings = {"database": "langfuse", "async_insert": "1", "wait_for_async_insert": "1"}
    answer = server.send("INSERT INTO rows FORMAT JSONEachRow", b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n', **settings)
    assert '"written_rows":"2"' in answer.headers["X-ClickHouse-Summary"]
    server("INSERT INTO langfuse.rows VALUES (3, 'z;'), (4, 'ä')")
    server("INSERT INTO langfuse.rows SETTINGS async_insert = 1 FORMAT TSV 5\tq")
    server("INSERT INTO langfuse.rows SELECT 6, 's'")
    packed = requests.post(
        server.address,
        params={"query": "INSERT INTO langfuse.rows FORMAT CSV"},
        data=gzip.compress(b'7,"c"\n'),
        headers={"Content-Encoding": "gzip"},
        auth=(USER, PASSWORD),
        timeout=60,
    )
    assert packed.status_code == 200
    assert (
        server("SELECT groupArray(b) FROM (SELECT b FROM langfuse.rows ORDER BY a)") == "['x','y','z;','ä','q','s','c']"
    )
    with pytest.raises(Refused) as refused:
        server("INSERT INTO langfuse.rows FORMAT JSONEachRow", b'{"a":"nonsense"}')
    assert refused.value.status == 400


def test_every_frame_of_an_lz4_body_is_read(server: Client) -> None:
    # "1\tone\n" and "2\ttwo\n", a frame each, as clients send long inserts.
    head = "04224d18684006000000000000005906000080"
    body = f"{head}31096f6e650a00000000{head}320974776f0a00000000"
    server("CREATE TABLE langfuse.frames (a UInt32, b String) ENGINE = Memory")
    answer = requests.post(
        server.address,
        params={"query": "INSERT INTO langfuse.frames FORMAT TSV"},
        data=bytes.fromhex(body),
        headers={"Content-Encoding": "lz4"},
        auth=(USER, PASSWORD),
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert server("SELECT groupArray(b) FROM langfuse.frames") == "['one','two']"


def test_answers_are_packed_when_asked(server: Client) -> None:
    answer = server.send("SELECT number FROM numbers(1000)", enable_http_compression="1")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.text.splitlines()) == 1000
    assert "Content-Encoding" not in server.send("SELECT 1").headers


def test_sessions(server: Client) -> None:
    server("CREATE TEMPORARY TABLE kept (a Int8)", session_id="s1")
    server("INSERT INTO kept VALUES (5)", session_id="s1")
    assert server("SELECT a FROM kept", session_id="s1", session_check="1") == "5"
    others: tuple[dict[str, str], ...] = ({}, {"session_id": "s2"})
    for other in others:
        with pytest.raises(Refused):
            server.send("SELECT a FROM kept", None, **other)
    with pytest.raises(Refused) as refused:
        server("SELECT 1", session_id="s3", session_check="1")
    assert refused.value.code == 372


def test_health_check_of_the_official_image(server: Client) -> None:
    words = ("wget", "--no-verbose", "--tries=1", "--spider", "http://127.0.0.1:8123/ping")
    assert "200 OK" in server.container.execute(*words)


def test_client_inside(server: Client) -> None:
    assert (
        server.container.execute("clickhouse-client", "-q", "SELECT 1 AS a", "--format", "JSONEachRow") == '{"a":1}\n'
    )
    words = ("clickhouse-client", "--password", "wrong", "-q", "SELECT 1")
    assert "Code: 516" in server.container.execute(*words, check=False)


def greet(server: Client, password: str = PASSWORD, database: str = "langfuse") -> tuple[int, object]:
    hello = native.ClientHello("test", (26, 9), 54479, database, USER, password)
    with socket.create_connection((server.container.ip, 9000), timeout=60) as connection:
        connection.sendall(native.write_client_hello(hello))
        with connection.makefile("rb") as stream:
            kind = native.read_number(stream)
            if kind == native.SERVER_EXCEPTION:
                return native.read_exception(stream)
            answer = native.read_server_hello(stream, hello.revision)
            stream.read(9)
            connection.sendall(native.write_text("") + native.write_number(native.PING))
            assert native.read_number(stream) == native.SERVER_PONG
            return 0, answer


def test_native_greeting(server: Client) -> None:
    code, hello = greet(server)
    assert code == 0
    assert isinstance(hello, native.ServerHello)
    assert (hello.name, hello.version[:2], hello.timezone) == ("ClickHouse", (26, 9), "UTC")


@pytest.mark.parametrize(("password", "database", "code"), [("wrong", "langfuse", 516), (PASSWORD, "nothing", 81)])
def test_native_refusals(server: Client, password: str, database: str, code: int) -> None:
    assert greet(server, password, database)[0] == code


def test_rows_survive_a_kill(server: Client) -> None:
    server("CREATE TABLE langfuse.kept (a UInt32) ENGINE = MergeTree ORDER BY a")
    server("INSERT INTO langfuse.kept FORMAT TSV", b"7\n")
    server.container.kill_and_start()
    ready(server.container)
    assert server("SELECT a FROM langfuse.kept") == "7"


def test_stop_is_fast_and_clean(server: Client) -> None:
    docker("stop", "-t", "5", server.container.name)
    assert server.container.state("ExitCode") == "0"


@pytest.mark.parametrize(("setting", "stored"), [("1", "2024-11-21 18:05:45.678"), ("", "9999-12-31 23:59:59.000")])
def test_a_mounted_profile_takes_effect(bench: Bench, tmp_path: Path, setting: str, stored: str) -> None:
    text = f"<profiles><default><{RAW}>{setting}</{RAW}></default></profiles>" if setting else ""
    server = start(bench, "-v", profile(tmp_path, text))
    server("CREATE TABLE langfuse.t (ts DateTime64(3)) ENGINE = MergeTree ORDER BY ts")
    server("INSERT INTO langfuse.t FORMAT JSONEachRow", f'{{"ts":{MILLISECONDS}}}'.encode())
    assert server("SELECT ts FROM langfuse.t") == stored
    assert server(f"SELECT value FROM system.settings WHERE name = '{RAW}'") == (setting or "0")


def test_server_configuration(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "langfuse.xml"
    file.write_text(
        "<clickhouse><timezone>Europe/Berlin</timezone><max_server_memory_usage>3000000000</max_server_memory_usage>"
        "<no_such_thing><x/></no_such_thing><logger><level>debug</level></logger><display_name>shown</display_name>"
        "</clickhouse>"
    )
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    server = start(bench, "-v", f"{file}:/etc/clickhouse-server/config.d/langfuse.xml:ro")
    answer = server.send(
        "SELECT timezone(), (SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage')"
    )
    assert answer.text == "Europe/Berlin\t3000000000\n"
    assert answer.headers["X-ClickHouse-Server-Display-Name"] == "shown"


def test_users_of_the_users_file(bench: Bench, tmp_path: Path) -> None:
    mount = profile(
        tmp_path,
        "<profiles><slow><max_threads>1</max_threads></slow></profiles><users><reader><password>r</password>"
        "<profile>slow</profile><grants><query>GRANT SELECT ON langfuse.a</query></grants></reader>"
        "<remote><password>r</password><networks><ip>203.0.113.1</ip></networks></remote></users>",
    )
    server = start(bench, "-v", mount)
    server("CREATE TABLE langfuse.a (x Int8) ENGINE = Memory")
    server("CREATE TABLE langfuse.b (x Int8) ENGINE = Memory")
    reader = Client(server.container, "reader", "r")
    assert reader("SELECT count(), getSetting('max_threads') FROM langfuse.a") == "0\t1"
    for sql in ("SELECT * FROM langfuse.b", "INSERT INTO langfuse.a VALUES (1)", "DROP TABLE langfuse.a"):
        with pytest.raises(Refused, match="reader: Not enough privileges") as refused:
            reader(sql)
        assert (refused.value.status, refused.value.code) == (403, 497)
    with pytest.raises(Refused, match="AUTHENTICATION_FAILED"):
        Client(server.container, "remote", "r")("SELECT 1")


@pytest.mark.parametrize("role", ["__admin", "__u_clickhouse"])
def test_rights_cannot_be_taken(bench: Bench, tmp_path: Path, role: str) -> None:
    mount = profile(tmp_path, "<users><poor><password>p</password><grants/></poor></users>")
    server = start(bench, "-v", mount)
    poor = Client(server.container, "poor", "p")
    for sql in (f"SET ROLE {role}", f"-- x\n /* y */ SET ROLE `{role}`", f"# x\nSET\nROLE '{role}'"):
        with pytest.raises(Refused) as refused:
            poor(sql, session_id="s")
        assert refused.value.code == 512
    with pytest.raises(Refused) as refused:
        poor("CREATE DATABASE taken", session_id="s")
    assert refused.value.code == 497


def test_backup_and_restore(bench: Bench) -> None:
    server = start(bench, "-v", f"{bench.volume()}:/backups")
    server("CREATE TABLE langfuse.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    server("INSERT INTO langfuse.t VALUES (7)")
    assert "BACKUP_CREATED" in server("BACKUP DATABASE langfuse TO File('/backups/one')")
    server("DROP DATABASE langfuse SYNC")
    assert "RESTORED" in server("RESTORE DATABASE langfuse FROM File('/backups/one')")
    assert server("SELECT a FROM langfuse.t") == "7"
    with pytest.raises(Refused):
        server("BACKUP DATABASE langfuse TO File('/tmp/elsewhere')")


def test_without_any_user_nobody_gets_in_from_outside(bench: Bench) -> None:
    server = start(bench, environment=())
    with pytest.raises(Refused, match="AUTHENTICATION_FAILED"):
        Client(server.container, "default", "")("SELECT 1")
    assert server.container.execute("clickhouse-client", "-q", "SELECT 1").strip() == "1"


def test_a_bad_configuration_is_named(bench: Bench, tmp_path: Path) -> None:
    mount = profile(tmp_path, "<profiles><default><no_such_setting>1</no_such_setting></default></profiles>")
    container: Container = bench.run("clickhouse", *OPTIONS, *ENVIRONMENT, "-v", mount)
    assert container.wait() == 1
    assert "no_such_setting" in container.logs


def test_the_first_process_is_not_root(bench: Bench) -> None:
    container = bench.run("clickhouse", *ENVIRONMENT, hardened=False)
    ready(container)
    assert container.execute("stat", "-c", "%u", "/proc/1").strip() == "101"


def test_other_commands_run_as_they_are(bench: Bench) -> None:
    container = bench.run("clickhouse", *OPTIONS, command=("sh", "-c", "echo hello"))
    assert container.wait() == 0
    assert container.logs.strip() == "hello"
