"""The commands of a runbook, so that a test runs what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
PLAYBOOK = ["ansible-playbook", "-i", "<inventory>"]
_HEADING = re.compile(r"#+ (.*)")


def commands(page: str, heading: str) -> list[list[str]]:
    """Words of every `ansible-playbook` line below a heading, down to the next one; `<inventory>` is left in."""
    return [words for words in lines(page, heading) if words[0] == PLAYBOOK[0]]


def lines(page: str, heading: str) -> list[list[str]]:
    """Words of every command line below a heading. A page without that heading, or one without commands, is an error."""
    found = sections(page)[heading]
    assert found, f"{page}.md has no command below '{heading}'"
    return found


def sections(page: str) -> dict[str, list[list[str]]]:
    """Heading -> words of the command lines below it: those that are indented by four, or fenced as bash."""
    found: dict[str, list[list[str]]] = {}
    heading, fenced = "", False
    for line in (RUNBOOKS / f"{page}.md").read_text("utf-8").splitlines():
        if line.startswith("```"):
            fenced = line == "```bash"
        elif fenced or line.startswith("    "):
            found[heading].append(shlex.split(line, comments=True))
        elif match := _HEADING.match(line):
            heading = match[1]
            found[heading] = []
    return {heading: [words for words in commands if words] for heading, commands in found.items()}
