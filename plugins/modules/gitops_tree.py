#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module: the action plugin of the same name does its work.

from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_tree
short_description: Write the objects of an instance into a Git checkout
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Brings one directory of a checkout on the controller to the files that the filter P(llmops.langfuse.flux_tree#filter) returns. It asks no cluster, and
    it commits and pushes nothing.
  - Files with secrets are encrypted by SOPS before they are written, temporary ones too. One whose secrets are the same keeps its ciphertext,
    which is seen by decrypting it where an age identity is here, and by keyed fingerprints where none is.
  - Files that are as they should be are left alone. Those of an earlier run that are not wanted any more are removed.
  - Everything that stands in the way is told in one message, before anything is written. That is a checkout that is none or is in the middle of a merge, a
    file that somebody else made or changed without committing it, a symbolic link, recipients or an identity that do not fit, and a tree whose keys
    would be lost. Keys are looked for in the last commit too, and known without an identity by keyed fingerprints.
  - Refused too is what data forbids, seen by the last commit, which may have been applied. That is another place of a store, another major version
    of PostgreSQL, a smaller volume, another storage class of a StatefulSet, and another namespace.
  - So is a tree without Kustomizations where the last commit has some, because Flux would prune what they have applied, and one with Deployments where it has a
    release of the chart, whose own have the same names and another selector.
  - A second tree is refused too. One at another path is known as this instance's by fingerprints that its own key has made, so a namesake with other
    secrets, as for another cluster, is left alone.
  - What it remembers is in C(.langfuse.json) in the directory, which belongs into the repository too. A run that was cut off is brought to its end
    by the next.
requirements:
  - git
  - SOPS 3.9 or newer, and the collection community.sops, where there are secrets
options:
  documents:
    description: All files of the tree as the filter returns them. Needed unless it is to go.
    type: raw
  directory:
    description: Root of the checkout.
    type: path
    required: true
  path:
    description: Directory of the instance, relative to that root. Nothing outside of it is written.
    type: str
    required: true
  instance:
    description: Name of the instance. A tree of another one is refused.
    type: str
    required: true
  secrets:
    description: Secrets of the instance, from which the key of the fingerprints is made.
    type: dict
    required: true
  recipients:
    description: Public keys of age. What was encrypted for others is encrypted again.
    type: list
    elements: str
    default: []
  identity_file:
    description: File with the age identity. Without it SOPS looks where it always does, and finding none is no error.
    type: path
  new_secrets:
    description: Keys that were drawn in this run. Where there is a tree, or one in the last commit, they are refused, because the data needs the old ones.
    type: list
    elements: str
    default: []
  moved_stores:
    description: Stores whose data has been moved to where the documents now have them. Another place of other stores is refused once a tree is committed.
    type: list
    elements: str
    default: []
  existing_secrets:
    description: Names of Secrets that somebody else keeps. One that a committed tree has is refused, because Flux would prune it where it leaves the tree.
    type: list
    elements: str
    default: []
  overwrite:
    description: Files, relative to the root, that may be overwritten or removed although somebody else made or changed them.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) removes all files of the tree.
    type: str
    choices: [present, absent]
    default: present
attributes:
  action:
    support: full
    description: It runs on the controller.
  check_mode:
    support: full
    description: Says which files would be written and removed.
  diff_mode:
    support: full
    description: Shows the diff that Git would, with words in the place of secrets, and in C(.langfuse.json) of fingerprints of what SOPS has not encrypted yet.
"""

EXAMPLES = r"""
- name: Write the tree
  llmops.langfuse.gitops_tree:
    directory: /home/me/cluster
    path: kubernetes/apps/ai-system/langfuse
    instance: langfuse
    documents: "{{ plan | llmops.langfuse.flux_tree(secrets) }}"
    secrets: "{{ secrets }}"
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
"""

RETURN = r"""
written:
  description: Files that were, or would be, written.
  returned: success
  type: list
  elements: str
removed:
  description: Files that were, or would be, removed.
  returned: success
  type: list
  elements: str
uncommitted:
  description:
    - Files of the tree that are not as they were committed last.
    - With O(state=absent) those whose removal is not committed.
  returned: success
  type: list
  elements: str
holders:
  description:
    - Which of the last commit, the branch that it follows and the main branches of the remotes, as they were fetched last, have the tree.
    - Where there are remotes and the branch follows none, that is one of them, because nobody knows what was pushed.
  returned: success
  type: list
  elements: str
named:
  description: Who names the tree, which is the C(kustomization.yaml) beside it. Empty where that does not.
  returned: success
  type: dict
  contains:
    file:
      description: That file, relative to the root.
      type: str
    entries:
      description: Those of its resources that lead into the tree.
      type: list
      elements: str
errors:
  description: What stands in the way, as sentences.
  returned: failure
  type: list
  elements: str
"""
