# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands objects that stay, without their pods, to the module of the same name, as kubernetes_apply does."""

from __future__ import annotations

from . import kubernetes_apply


class ActionModule(kubernetes_apply.ActionModule):
    """One task, one connection, however many objects."""

    MODULE = "llmops.langfuse.kubernetes_remove"
