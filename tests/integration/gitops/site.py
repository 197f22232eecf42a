"""Playbooks for an instance whose objects go into a Git checkout, with no cluster in reach."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from tests.integration.gitops.checkout import PATH, Repository
from tests.integration.host.machine import hosts, play
from tests.molecule.playbook import Run

TREE = PATH


@dataclass
class Site:
    home: Path
    repository: Repository
    recipient: str
    identity: Path | None
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def secrets_file(self) -> Path:
        return self.home / "secrets.yml"

    @property
    def tree(self) -> Path:
        return self.repository.root / TREE

    def variables(self) -> dict[str, Any]:
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "langfuse_target": "gitops",
            "langfuse_gitops_directory": str(self.repository.root),
            "langfuse_secrets_format": "sops",
            "langfuse_age_recipients": [self.recipient],
            **({"langfuse_age_identity_file": str(self.identity)} if self.identity else {}),
            "cloudflare_domain": "example.com",
            "cnpg_enabled": True,
            **self.given,
        }

    def play(self, playbook: str, *words: str, fails: bool = False, more: Mapping[str, Any] | None = None) -> Run:
        """The variables are the inventory's, so that no process shows them."""
        inventory = self.home / "inventory.json"
        inventory.touch(mode=0o600)
        variables = {**self.variables(), **(more or {})}
        inventory.write_text(json.dumps(hosts("cluster", self.secrets_file, **variables)))
        # Whoever asked a cluster would be told that there is none.
        with mock.patch.dict(os.environ, {"KUBECONFIG": str(self.home / "no-cluster")}):
            return play(inventory, f"llmops.langfuse.{playbook}", *words, fails=fails)
