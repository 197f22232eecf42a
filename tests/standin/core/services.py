"""What both processes build from a valid environment."""

import ssl

import aiohttp

from .environment import Env


def outgoing(env: Env) -> aiohttp.ClientSession:
    """One client session; `NODE_EXTRA_CA_CERTS` adds authorities."""
    context = ssl.create_default_context()
    extra = env.raw("NODE_EXTRA_CA_CERTS")
    if extra:
        context.load_verify_locations(extra)
    # Node asks for the name at each connection: a store that is away is refused at once, not after a dead address.
    connector = aiohttp.TCPConnector(limit=50, ssl=context, keepalive_timeout=8, use_dns_cache=False)
    return aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=60, connect=5), auto_decompress=True
    )


def bind_host(env: Env) -> str:
    """`HOSTNAME` as the container runtime or the operator set it; unset or empty listens on everything."""
    return env.raw("HOSTNAME") or "0.0.0.0"
