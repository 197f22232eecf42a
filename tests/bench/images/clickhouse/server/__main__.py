"""The container's process: configuration, engine, listeners; ends on SIGTERM."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree as ET

from . import configuration, users
from .access import Access, AccountStore
from .configuration import ConfigurationError, text_of
from .engine import Engine
from .errors import ServerError
from .http_interface import HttpServer
from .native import NativeServer
from .statements import quote_name

_RUN = Path(os.environ.get("CLICKHOUSE_RUN_DIR", "/tmp/clickhouse-server"))
# Not named users.d: the engine would read it a second time, beside the file that is made of it.
_OWN_USERS = _RUN / "container-users"
_INIT_SCRIPTS = Path("/docker-entrypoint-initdb.d")
_EXPIRE_SECONDS = 5


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _private_directory(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


def _write_container_user(users_d: Path) -> None:
    """As the official entry point does; where `users.d` cannot be written, beside it in the run directory."""
    text = users.container_user(os.environ)
    if text is None:
        return
    name = os.environ.get("CLICKHOUSE_USER") or "default"
    try:
        _write_private(users_d / "default-user.xml", text)
    except OSError as error:
        log(f"cannot write {users_d}: {error.strerror}. The official image would end here; going on with {_RUN}")
        _write_private(_private_directory(_OWN_USERS) / "default-user.xml", text)
    log(f"user '{name}' is set up")


def _load(main: Path) -> tuple[ET.Element, ET.Element]:
    """The merged server and users configuration."""
    server = configuration.load(main, configuration.files_in(main.parent / "config.d"))
    users_d = main.parent / "users.d"
    _write_container_user(users_d)
    users_main = main.parent / text_of(server, "users_config", "users.xml")
    return server, configuration.load(users_main, configuration.files_in(users_d, _OWN_USERS))


def _initialise(engine: Engine) -> None:
    """What the official entry point does once, on an empty data directory."""
    database = os.environ.get("CLICKHOUSE_DB", "")
    if database:
        engine.admin(f"CREATE DATABASE IF NOT EXISTS {quote_name(database)}")
        log(f"database '{database}' is created")
    for path in sorted(_INIT_SCRIPTS.glob("*")):
        if path.suffix == ".sql":
            log(f"running {path}")
            for statement in path.read_text().split(";\n"):
                if statement.strip():
                    engine.admin(statement)
        else:
            log(f"ignoring {path}")


def _version() -> str:
    return str(importlib.import_module("chdb").query("SELECT version()", "TabSeparatedRaw")).strip()


def _wait_for_signal() -> None:
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while not ended.wait(3600):
        pass


def _keep_expiring(engine: Engine) -> None:
    pause = threading.Event()
    while not pause.wait(_EXPIRE_SECONDS):
        engine.expire_named()


def _open_engine(server: ET.Element, user_root: ET.Element) -> tuple[Engine, Access]:
    data = Path(text_of(server, "path", "/var/lib/clickhouse/"))
    is_new = not (data / "metadata").exists()
    run = _private_directory(_RUN)
    store = AccountStore(data / "access" / "bench.json", users.read_users(user_root))

    def publish(accounts: users.Accounts) -> None:
        _write_private(run / "users.xml", users.engine_users(user_root, accounts))

    publish(store.load())
    _write_private(run / "config.xml", configuration.engine_configuration(server, run / "users.xml"))
    engine = Engine(str(data), run / "config.xml", users.read_profiles(user_root))
    if is_new:
        _initialise(engine)
    return engine, Access(engine, store, publish)


def _listen(server: ET.Element, engine: Engine, access: Access) -> tuple[HttpServer, NativeServer]:
    display_name = text_of(server, "display_name", socket.gethostname())
    http = HttpServer(int(text_of(server, "http_port", "8123")), engine, access, display_name)
    native = NativeServer(int(text_of(server, "tcp_port", "9000")), engine, access, display_name)
    for target in (http.serve_forever, native.serve_forever, lambda: _keep_expiring(engine)):
        threading.Thread(target=target, daemon=True).start()
    return http, native


def main(arguments: Sequence[str]) -> int:
    if "--version" in arguments or "-V" in arguments:
        print(f"ClickHouse server version {_version()} (the engine as a library).")
        return 0
    try:
        server, user_root = _load(Path(os.environ.get("CLICKHOUSE_CONFIG", "/etc/clickhouse-server/config.xml")))
    except (ConfigurationError, OSError) as error:
        log(f"configuration: {error}")
        return 1
    # The library takes the zone from the environment alone.
    os.environ["TZ"] = text_of(server, "timezone") or os.environ.get("TZ") or "UTC"
    try:
        engine, access = _open_engine(server, user_root)
    except (RuntimeError, ServerError) as error:
        log(f"the engine does not start: {error}")
        return 1
    listeners = _listen(server, engine, access)
    log(f"ready for connections: ClickHouse {engine.version}, time zone {engine.timezone}")
    _wait_for_signal()
    for listener in listeners:
        listener.server_close()
    engine.close()
    log("bye")
    # The library's threads would keep the interpreter waiting.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
