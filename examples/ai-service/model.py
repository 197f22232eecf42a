"""Stands for a language model: fixed answers and honest token counts, so that the example needs no key and no network.

Put your own client here. `ask` is all that the service knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass

NAME = "gpt-4o-mini"
# US dollars a token. Langfuse computes the cost itself for models that it knows; a price of one's own is sent with the usage.
INPUT_PRICE, OUTPUT_PRICE = 0.15e-6, 0.60e-6

_ANSWERS = {
    "investigator": "The button was pressed for three seconds while the vehicle stood still.",
    "final": "Call the driver. The alert is real until the driver says otherwise.",
}


@dataclass(frozen=True)
class Answer:
    """What the model said, and what it took."""

    text: str
    input_tokens: int
    output_tokens: int

    @property
    def cost(self) -> float:
        return self.input_tokens * INPUT_PRICE + self.output_tokens * OUTPUT_PRICE


class Unavailable(Exception):
    """The model's provider refused the call."""


def ask(role: str, messages: list[dict[str, str]]) -> Answer:
    """One call. `refuse` in a message makes it fail, to show how an error looks in Langfuse."""
    words = " ".join(message["content"] for message in messages).split()
    if "refuse" in words:
        raise Unavailable(f"the provider answered 429 to the {role}")
    text = _ANSWERS[role]
    return Answer(text, len(words), len(text.split()))
