#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive
short_description: Load the images of an archive where one is missing
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Loads an archive of images into Docker Engine unless all wanted images are there already, and fails when one is still missing afterwards.
  - Unlike M(community.docker.docker_image_load) it changes nothing the second time, has a check mode, and needs no Python library on the host.
options:
  path:
    description: Archive on the host, as C(docker save) writes it.
    type: path
    required: true
  images:
    description: Names of the wanted images, with tags.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says which images it would load. The archive need not be there.
  diff_mode:
    support: none
    description: RV(loaded) tells what was missing.
seealso:
  - module: community.docker.docker_image_export
"""

EXAMPLES = r"""
- name: Load the missing images
  llmops.langfuse.image_archive:
    path: /opt/langfuse/langfuse/.images.tar
    images: [docker.io/valkey/valkey:8.1]
"""

RETURN = r"""
loaded:
  description: Images that were missing before.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import images
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            images=dict(type="list", elements="str", required=True),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**images.load(module.params["path"], module.params["images"], module.check_mode))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
