"""Write the trees again. What changed is then looked at before it is committed."""

from __future__ import annotations

from . import write

write()
