#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: documents
short_description: Write a set of documents into a directory
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Writes what the document filters of this collection return, as one unit, and removes what it wrote before and is no longer wanted.
  - The action plugin of the same name serialises the documents on the controller. Users of the module give O(documents).
  - Sensitive documents show in a diff only by the names of what changed in them.
  - In check mode nothing in O(directory) changes. The documents go to a private temporary directory, RV(directory), that the caller removes.
options:
  directory:
    description: Absolute path of the directory. It is made when missing.
    type: path
    required: true
  documents:
    description: Documents as the filter P(llmops.langfuse.compose_project#filter) returns them.
    type: list
    elements: dict
  files:
    description: Set by the action plugin. What each document is, without its content.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path under O(directory).
        type: str
        required: true
      mode:
        description: Mode of the file.
        type: str
        required: true
      form:
        description: Form of the content.
        type: str
        required: true
      sensitive:
        description: Whether the content is hidden.
        type: bool
        required: true
  contents:
    description: Set by the action plugin. Content of each document by its path.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Says what would change, and leaves the documents in a temporary directory.
  diff_mode:
    support: full
    description: Shows the content of documents that are not sensitive.
"""

EXAMPLES = r"""
- name: Write the Compose project
  llmops.langfuse.documents:
    directory: /opt/langfuse/langfuse
    documents: "{{ plan | llmops.langfuse.compose_project(secrets) }}"
  register: written
"""

RETURN = r"""
directory:
  description: Where the documents are. In check mode a temporary directory.
  returned: always
  type: str
written:
  description: Paths of the documents that were new or different.
  returned: always
  type: list
  elements: str
removed:
  description: Paths of documents that were no longer wanted.
  returned: always
  type: list
  elements: str
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils.document_files import Store, diff_text


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            directory=dict(type="path", required=True),
            documents=dict(type="list", elements="dict"),
            files=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    path=dict(type="str", required=True),
                    mode=dict(type="str", required=True),
                    form=dict(type="str", required=True),
                    sensitive=dict(type="bool", required=True),
                ),
            ),
            contents=dict(type="dict", default={}, no_log=True),
        ),
        supports_check_mode=True,
    )
    directory, files, contents = module.params["directory"], module.params["files"], module.params["contents"]
    try:
        store = Store(directory)
        changes, removed = store.compare(files, contents)
        if module.check_mode:
            target = Store(tempfile.mkdtemp(prefix="langfuse-check-"))
            target.write(files, contents)
        else:
            target = store
            store.write([change.file for change in changes], contents)
            store.remove(removed)
            store.remember([f["path"] for f in files])
    except OSError as error:
        module.fail_json(
            msg=f"Cannot write {error.filename or directory}: {error.strerror}.",
            code="documents_unwritable",
            cure="Check the disk and the rights of the user that Ansible becomes.",
        )
    module.exit_json(
        changed=bool(changes or removed),
        directory=target.directory,
        written=[change.file["path"] for change in changes],
        removed=removed,
        diff=[diff_text(os.path.join(directory, change.file["path"]), change) for change in changes]
        + [
            dict(before_header=os.path.join(directory, path), before="present\n", after_header="(removed)", after="")
            for path in removed
        ],
    )


if __name__ == "__main__":
    main()
