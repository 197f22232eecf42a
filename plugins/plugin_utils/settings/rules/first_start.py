# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first organisation, project and user, and who can sign in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..cluster_secrets import is_there
from ..plan import Settings
from ..problems import Problem

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")
_DRAW = "Remove the variable to have one generated"


def first_start_identifiers(settings: Settings) -> Iterator[Problem]:
    """Without an organisation the application ignores all of the first start; without a project, the keys."""
    for name in ("langfuse_init_org_id", "langfuse_init_project_id"):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", settings[name] or ""):
            yield Problem(
                name,
                "is empty or holds other characters than letters, digits, _ and -",
                "Write an identifier such as default",
            )


def first_user_email(settings: Settings) -> Iterator[Problem]:
    email = settings["langfuse_init_user_email"]
    if email and not _EMAIL.match(email):
        yield Problem("langfuse_init_user_email", "is not an e-mail address", "Write one such as admin@example.com")


def first_user_password(settings: Settings) -> Iterator[Problem]:
    """Shorter than 8, web stays up and answers 500 for ever; bcrypt reads no more than 72 bytes."""
    password = settings.secrets.get("langfuse_init_user_password")
    if password is not None and not 8 <= len(password.encode()) <= 72:
        yield Problem("langfuse_init_user_password", "is not 8 to 72 bytes long", f"Write one of that length. {_DRAW}")


def somebody_can_sign_in(settings: Settings) -> Iterator[Problem]:
    if not settings["langfuse_init_user_email"] and not settings["langfuse_signup_enabled"]:
        yield Problem(
            "langfuse_init_user_email",
            "is missing while sign-up is closed, so nobody could ever sign in",
            "Write the e-mail address of the first user, or set langfuse_signup_enabled: true",
        )


def retention(settings: Settings) -> Iterator[Problem]:
    days = settings["langfuse_init_project_retention"]
    if days in (1, 2) or days < 0:
        yield Problem(
            "langfuse_init_project_retention",
            "is less than the 3 days that the application takes",
            "Write 0 to keep traces, or at least 3",
        )
    elif days and not is_there(settings, "langfuse_license_key"):
        yield Problem(
            "langfuse_init_project_retention",
            "is ignored by the application without an enterprise licence",
            "Set langfuse_license_key, or write 0",
        )


def session_age(settings: Settings) -> Iterator[Problem]:
    minutes = settings["langfuse_session_max_age"]
    if minutes <= 5:
        yield Problem(
            "langfuse_session_max_age",
            "is not above the 5 minutes that the application needs",
            "Write minutes: 43200 is 30 days",
        )
    if minutes > 525600:
        yield Problem(
            "langfuse_session_max_age",
            "is more than a year of minutes, so it looks like seconds",
            "Write minutes: 43200 is 30 days",
        )


def mail_url(settings: Settings) -> Iterator[Problem]:
    if not (value := settings["langfuse_smtp_url"]):
        return
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("smtp", "smtps", "ses") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "#" in value or " " in value:
        yield Problem(
            "langfuse_smtp_url",
            "is not smtp://user:password@host:port",
            "Percent-encode the characters # / : ? @ and spaces in user and password",
        )


def mail_pair(settings: Settings) -> Iterator[Problem]:
    url, sender = is_there(settings, "langfuse_smtp_url"), settings["langfuse_email_from"]
    if url and not sender:
        yield Problem(
            "langfuse_email_from", "is missing while langfuse_smtp_url is set", "Write the sender address of e-mails"
        )
    if sender and not url:
        yield Problem("langfuse_smtp_url", "is missing while langfuse_email_from is set", "Write the mail server")


RULES = (
    first_start_identifiers,
    first_user_email,
    first_user_password,
    somebody_can_sign_in,
    retention,
    session_age,
    mail_url,
    mail_pair,
)
