"""The steps, held against the schema that Flux's kustomize-controller publishes."""

from __future__ import annotations

from typing import Any

import pytest

from ..kubernetes.support import unfit
from .support import CONFIGURATIONS, files


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_flux_knows_every_field_of_the_steps(given: dict[str, Any]) -> None:
    found = files(given).get("ks.yaml")
    wrong = {one["metadata"]["name"]: unfit(one) for one in found.object} if found else {}
    assert not any(wrong.values()), wrong
    assert bool(wrong) == ("langfuse_gitops_flavour" not in given)
