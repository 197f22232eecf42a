"""Built-in models: 8 rows come with the migrations, 167 from the worker's start (facts 1.9).

Only the models seen in the recorded exchanges carry real names and prices; the others keep the number right.
"""

import json
from dataclasses import dataclass
from typing import Any

import psycopg

SEEDED, OLDER = 167, 8


@dataclass(frozen=True)
class Model:
    id: str
    name: str
    pattern: str
    input_price: str
    output_price: str
    tokenizer_model: str


_REAL = [
    Model("clrs2dnql000108l46vo0gp2t", "babbage-002", "(?i)^(babbage-002)$", "0.0000004", "0.0000004", "babbage-002"),
    Model(
        "clyrjp56f0000t0mzapoocd7u", "gpt-4o-mini", "(?i)^(openai/)?(gpt-4o-mini)$", "0.00000015", "0.0000006", "gpt-4o"
    ),
    Model("b9854a5c92dc496b997d99d20", "gpt-4o", "(?i)^(openai/)?(gpt-4o)$", "0.0000025", "0.00001", "gpt-4o"),
]


def _filler(kind: str, count: int) -> list[Model]:
    return [
        Model(
            f"stand-in-{kind}-{n:03d}",
            f"stand-in-{kind}-{n:03d}",
            f"(?i)^(stand-in-{kind}-{n:03d})$",
            "0.000001",
            "0.000002",
            "gpt-4",
        )
        for n in range(1, count + 1)
    ]


def older() -> list[Model]:
    return _filler("older", OLDER)


def seeded() -> list[Model]:
    return _REAL + _filler("model", SEEDED - len(_REAL))


_MODEL = (
    "INSERT INTO models "
    "(id, model_name, match_pattern, input_price, output_price, unit, tokenizer_id, tokenizer_config) "
    "VALUES (%s, %s, %s, %s, %s, 'TOKENS', 'openai', %s) ON CONFLICT (id) DO UPDATE SET updated_at = now()"
)
_TIER = (
    "INSERT INTO pricing_tiers (id, model_id, name, is_default, priority, conditions) "
    "VALUES (%s, %s, 'Standard', true, 0, '[]') ON CONFLICT DO NOTHING"
)
_PRICE = (
    "INSERT INTO prices (id, model_id, usage_type, price, pricing_tier_id) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT DO NOTHING"
)


STATEMENTS = (_MODEL, _TIER, _PRICE)


def rows(found: list[Model]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Parameters of the three statements."""
    models = [
        (m.id, m.name, m.pattern, m.input_price, m.output_price, json.dumps({"tokenizerModel": m.tokenizer_model}))
        for m in found
    ]
    tiers = [(f"{m.id}_tier_default", m.id) for m in found]
    prices = [
        (f"{m.id}_{usage}", m.id, usage, price, f"{m.id}_tier_default")
        for m in found
        for usage, price in (("input", m.input_price), ("output", m.output_price))
    ]
    return models, tiers, prices


def insert(cursor: psycopg.Cursor[Any], found: list[Model]) -> None:
    for query, values in zip(STATEMENTS, rows(found), strict=True):
        cursor.executemany(query, values)
