"""ClickHouse's errors: from the engine's text, to an HTTP status."""

from __future__ import annotations

import re

UNKNOWN_DATABASE = 81
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002

_CODE = re.compile(r"Code: (\d+)\. DB::")
_STATUS_CODES = {
    400: (6, 26, 27, 36, 38, 41, 53, 62, 69, 72, 117, 123, 321, 426, 441, 427, 675, 676),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 107, 115, 336, 511),
    408: (159,),
    413: (229,),
    501: (48,),
    503: (76, 209, 439),
}
_STATUS = {code: status for status, codes in _STATUS_CODES.items() for code in codes}


class ServerError(Exception):
    """One error as ClickHouse words it, without the version at the end."""

    def __init__(self, code: int, message: str, name: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.code = code
        self.message = message
        self.name = name

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)


class EngineError(ServerError):
    """The engine's own text, kept as it is."""

    def __init__(self, text: str) -> None:
        match = _CODE.search(text)
        super().__init__(int(match[1]) if match else UNKNOWN_EXCEPTION, text, "UNKNOWN_EXCEPTION")
        if match:
            self.args = (text[match.start() :].strip(),)


def authentication_failed(user: str) -> ServerError:
    return ServerError(
        AUTHENTICATION_FAILED,
        f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
        "AUTHENTICATION_FAILED",
    )


def unknown_database(name: str) -> ServerError:
    return ServerError(UNKNOWN_DATABASE, f"Database {name} does not exist.", "UNKNOWN_DATABASE")
