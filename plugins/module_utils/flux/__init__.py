# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Flux gets on with an instance: ``look`` asks the cluster, ``checkout`` asks Git, ``state`` judges, ``messages`` knows Flux' words."""
