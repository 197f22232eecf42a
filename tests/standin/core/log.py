"""Log lines as the application writes them: text drops the fields, json keeps them. Values of settings never appear."""

import datetime as dt
import json
import sys

_LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "error": 4, "fatal": 5}


class Logger:
    """Writes to stdout; `configure` is called once the environment is known."""

    def __init__(self) -> None:
        self.format = "text"
        self.threshold = _LEVELS["info"]

    def configure(self, log_format: str | None, level: str | None) -> None:
        self.format = "json" if log_format == "json" else "text"
        self.threshold = _LEVELS.get(level or "info", _LEVELS["info"])

    def write(self, level: str, message: str, **fields: object) -> None:
        if _LEVELS[level] < self.threshold:
            return
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.format == "json":
            line = json.dumps({"timestamp": now, "level": level, "message": message, **fields}, default=str)
        else:
            line = f"{now} {level} {message}"
        plain(line)

    def debug(self, message: str, **fields: object) -> None:
        self.write("debug", message, **fields)

    def info(self, message: str, **fields: object) -> None:
        self.write("info", message, **fields)

    def warn(self, message: str, **fields: object) -> None:
        self.write("warn", message, **fields)

    def error(self, message: str, **fields: object) -> None:
        self.write("error", message, **fields)


def plain(line: str, *, err: bool = False) -> None:
    """A `console.log` line: plain text whatever the format."""
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


log = Logger()
