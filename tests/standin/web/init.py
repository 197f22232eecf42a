"""Headless init, at every start of web (facts 5). An exception here leaves the process answering 500 for ever."""

import asyncio

from ..core.crypto import KEY_COST, PASSWORD_COST, bcrypt_hash, display_secret, fast_hash
from ..core.environment import Env
from ..core.log import log
from ..core.postgres import Postgres
from ..core.text import cuid

_PREFIX = "LANGFUSE_INIT_"
_ALL = ("PROJECT_ID", "PROJECT_PUBLIC_KEY", "PROJECT_SECRET_KEY", "USER_EMAIL", "USER_PASSWORD")
_PLANS = ("Hobby", "Core", "Pro", "Team", "Enterprise")


class InitError(Exception):
    """A start that failed; the text of the application's error."""


def _value(env: Env, name: str) -> str | None:
    return env.text(_PREFIX + name)


async def run(env: Env, postgres: Postgres) -> None:
    org = _value(env, "ORG_ID")
    if not org:
        named = [f"{_PREFIX}{n}" for n in _ALL if _value(env, n)]
        if named:
            log.warn(
                f"[Langfuse Init] LANGFUSE_INIT_ORG_ID is not set but {', '.join(named)} "
                "is set. Headless initialization is skipped."
            )
        return
    plan = _value(env, "ORG_CLOUD_PLAN")
    if plan and plan not in _PLANS:
        raise InitError(f"Invalid LANGFUSE_INIT_ORG_CLOUD_PLAN: {plan}")
    await postgres.rows(
        "INSERT INTO organizations (id, name) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING",
        (org, _value(env, "ORG_NAME") or "Provisioned Org"),
    )
    project, keys, user = (
        _value(env, "PROJECT_ID"),
        _pair(env, "PROJECT_PUBLIC_KEY", "PROJECT_SECRET_KEY", "API key"),
        None,
    )
    if keys and not project:
        log.warn(
            "[Langfuse Init] Partial API key configuration: LANGFUSE_INIT_PROJECT_PUBLIC_KEY and "
            "LANGFUSE_INIT_PROJECT_SECRET_KEY are set but LANGFUSE_INIT_PROJECT_ID is not. API keys are skipped."
        )
    if project:
        await postgres.rows(
            "INSERT INTO projects (id, name, org_id) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
            (project, _value(env, "PROJECT_NAME") or "Provisioned Project", org),
        )
        if keys:
            await _keys(env, postgres, project, *keys)
    user = _pair(env, "USER_EMAIL", "USER_PASSWORD", "user")
    if user:
        await _user(env, postgres, org, *user)


def _pair(env: Env, first: str, second: str, what: str) -> tuple[str, str] | None:
    """Both, or a warning when only one is there."""
    one, two = _value(env, first), _value(env, second)
    if one and two:
        return one, two
    if one or two:
        have, lack = (first, second) if one else (second, first)
        log.warn(
            f"[Langfuse Init] Partial {what} configuration: {_PREFIX}{have} is set but {_PREFIX}{lack} is not. Skipped."
        )
    return None


async def _keys(env: Env, postgres: Postgres, project: str, public: str, secret: str) -> None:
    row = await postgres.one("SELECT id, project_id FROM api_keys WHERE public_key = %s", (public,))
    if row and row["project_id"] == project:
        return
    if row:
        await postgres.rows("DELETE FROM api_keys WHERE id = %s", (row["id"],))
    await postgres.rows(
        "INSERT INTO api_keys (id, project_id, public_key, hashed_secret_key, fast_hashed_secret_key, "
        "display_secret_key, note, scope) VALUES (%s, %s, %s, %s, %s, %s, 'Provisioned API Key', 'PROJECT')",
        (
            cuid(),
            project,
            public,
            await asyncio.to_thread(bcrypt_hash, secret, KEY_COST),
            fast_hash(secret, env.need("SALT")),
            display_secret(secret),
        ),
    )


async def _user(env: Env, postgres: Postgres, org: str, email: str, password: str) -> None:
    email = email.lower()
    row = await postgres.one("SELECT id FROM users WHERE email = %s", (email,))
    user_id = (
        row["id"]
        if row
        else await create_user(postgres, _value(env, "USER_NAME") or "Provisioned User", email, password)
    )
    await postgres.rows(
        "INSERT INTO organization_memberships (id, org_id, user_id, role) VALUES (%s, %s, %s, 'OWNER') "
        "ON CONFLICT (org_id, user_id) DO UPDATE SET role = 'OWNER'",
        (cuid(), org, user_id),
    )


async def create_user(postgres: Postgres, name: str, email: str, password: str) -> str:
    if len(password) < 8:
        raise InitError("Password needs to be at least 8 characters long.")
    user_id = cuid()
    hashed = await asyncio.to_thread(bcrypt_hash, password, PASSWORD_COST)
    await postgres.rows(
        "INSERT INTO users (id, name, email, password) VALUES (%s, %s, %s, %s)", (user_id, name, email, hashed)
    )
    return user_id
