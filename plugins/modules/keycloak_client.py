#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: keycloak_client
short_description: The client with which Langfuse signs users in through Keycloak
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a confidential OpenID Connect client exists in a realm of Keycloak, or is gone.
  - Fields that the server adds, orders or derives never cause a change. What is written is read back.
  - Everything that stands in the way is told in one message, before the first write.
  - Made for Keycloak 26. It needs no library.
options:
  url:
    description:
      - Address of Keycloak as it is reached from where the module runs, for example V(https://sso.example.com).
      - With a path in it where Keycloak has one (formerly C(/auth)).
    type: str
    required: true
  ca_path:
    description:
      - File with the CA certificates that V(https) servers are verified with.
      - By default those of the operating system.
    type: path
  validate_certs:
    description: Whether certificates are verified.
    type: bool
    default: true
  resolve:
    description:
      - Addresses for names that the DNS does not know here, each written C(HOST:PORT:ADDRESS) as for curl's
        C(--resolve). TLS names and the C(Host) header stay those of the name.
    type: list
    elements: str
    default: []
  auth_realm:
    description: Realm of the account that administrates. With V(master) it may administrate every realm.
    type: str
    default: master
  auth_client_id:
    description: Client through which it logs in. With O(auth_client_secret) alone, the account is this client itself.
    type: str
    default: admin-cli
  auth_client_secret:
    description:
      - Secret of O(auth_client_id).
      - Without O(auth_username), the login is by client credentials. The client's service account then needs the roles
        C(manage-clients) and C(view-clients) of O(realm), and C(manage-users) for O(service_account_roles).
    type: str
  auth_username:
    description: Name of the user that administrates.
    type: str
  auth_password:
    description: Password of O(auth_username).
    type: str
  wait:
    description: Seconds to wait for Keycloak to answer at all. A refused login is not waited for.
    type: int
    default: 30
  realm:
    description: Realm that the client is in. It must exist.
    type: str
    required: true
  client_id:
    description: Id of the client, C(AUTH_KEYCLOAK_CLIENT_ID) of Langfuse. Keycloak's own clients are refused.
    type: str
    default: langfuse
  state:
    description: Whether the client exists.
    type: str
    choices: [present, absent]
    default: present
  public_url:
    description:
      - Address of Langfuse in a browser (C(NEXTAUTH_URL)). It gives those of O(redirect_uris), O(web_origins) and
        O(post_logout_redirect_uris) that are not given themselves.
      - V(https://langfuse.example.com) gives C(https://langfuse.example.com/api/auth/callback/keycloak),
        C(https://langfuse.example.com) and C(https://langfuse.example.com/*). An address with a path is used with that
        path, as Langfuse does.
    type: str
  secret:
    description:
      - Secret of the client, C(AUTH_KEYCLOAK_CLIENT_SECRET) of Langfuse. Another one than the present takes its place at
        once, and the old one is refused from then on.
      - Without it, the server makes one when the client is created, and it stays.
    type: str
  return_secret:
    description:
      - Whether the secret that the server has made is in the result.
      - Set C(no_log) on the task, or Ansible shows it. Cannot be combined with O(secret).
    type: bool
    default: false
  name:
    description: Name for people. Without it, it stays as it is.
    type: str
  description:
    description: Description for people. Without it, it stays as it is.
    type: str
  enabled:
    description: Whether logins through the client are allowed.
    type: bool
    default: true
  root_url:
    description: Address that relative addresses of the client start with. Without it, it stays as it is.
    type: str
  base_url:
    description: Where Keycloak's account console links to. Without it, it stays as it is.
    type: str
  redirect_uris:
    description:
      - Addresses that Keycloak may send a browser to after a login, exactly these. Needed with O(standard_flow), unless
        O(public_url) gives it.
    type: list
    elements: str
  web_origins:
    description:
      - Origins that may ask Keycloak from a browser, exactly these. V(+) stands for those of the redirect addresses.
      - Without it and without O(public_url), they stay as they are; at creation the server takes those of the redirect
        addresses.
    type: list
    elements: str
  post_logout_redirect_uris:
    description:
      - Addresses that Keycloak may send a browser to after a logout, exactly these. V(+) stands for the redirect addresses.
      - Without it and without O(public_url), they stay as they are.
    type: list
    elements: str
  pkce:
    description:
      - Proof key for code exchange that every login must carry. Langfuse sends V(S256) unless C(AUTH_KEYCLOAK_CHECKS)
        leaves it out. The server would store anything here, so it is validated.
      - V(none) demands none.
    type: str
    choices: [S256, none]
    default: S256
  standard_flow:
    description: Whether users log in by a browser (authorization code).
    type: bool
    default: true
  direct_access_grants:
    description: Whether a user's name and password can be sent for a token. Langfuse does not need it.
    type: bool
    default: false
  implicit_flow:
    description: Whether tokens are handed to the browser. Langfuse does not need it.
    type: bool
    default: false
  default_scopes:
    description:
      - Client scopes that every token gets, exactly these.
      - The scope C(service_account), which the server gives to a client with a service account, is left as it is.
    type: list
    elements: str
    default: [basic, email, profile]
  optional_scopes:
    description:
      - Client scopes that tokens get when they are asked for, exactly these.
      - Without it they stay as they are; a client that is created gets none.
    type: list
    elements: str
  requested_scopes:
    description:
      - What Langfuse asks for at a login (C(AUTH_KEYCLOAK_SCOPE)). It only says what is checked with O(standard_flow).
      - Keycloak refuses a login that asks for a scope which the client has neither as default nor as optional, and
        Langfuse one whose ID token has no C(email).
    type: list
    elements: str
    default: [openid, email, profile]
  service_account_roles:
    description:
      - Gives the client a service account (client credentials) that has exactly these roles of C(realm-management), for
        example V([view-users, view-realm]). Its other roles stay. With V([]), an account without any of them.
      - Without it, the client has no service account.
    type: list
    elements: str
  attributes:
    description:
      - More attributes of the client. A value of V(null) takes one away. Those that are not named stay.
      - The device flow and CIBA, which are attributes too, are switched off unless they are named here.
    type: dict
    default: {}
  force:
    description:
      - Take over, or with O(state=absent) delete, a client that exists as another kind (public, bearer-only, SAML, or
        proving itself by another means than a secret). Whoever uses it now can no longer do so.
    type: bool
    default: false
attributes:
  check_mode:
    description:
      - Logs in, looks and tells what would change. Whether the account may create a client is known only when it does;
        that is the first write.
    support: full
  diff_mode:
    description: Shows what changes, secrets only as being set or another one.
    support: full
"""

EXAMPLES = r"""
- name: Let Langfuse sign users in through Keycloak
  llmops.langfuse.keycloak_client:
    url: https://sso.example.com
    auth_username: admin
    auth_password: "{{ keycloak_admin_password }}"
    realm: company
    public_url: https://langfuse.example.com
    secret: "{{ langfuse_keycloak_client_secret }}"

- name: The same by a client that may only manage clients, and with a secret of the server's
  llmops.langfuse.keycloak_client:
    url: https://sso.example.com
    auth_realm: company
    auth_client_id: automation
    auth_client_secret: "{{ keycloak_automation_secret }}"
    realm: company
    public_url: https://langfuse.example.com
    return_secret: true
  register: langfuse_client
  no_log: true

- name: A client for a job that reads users and groups
  llmops.langfuse.keycloak_client:
    url: https://sso.example.com
    auth_username: admin
    auth_password: "{{ keycloak_admin_password }}"
    realm: company
    client_id: langfuse-sync
    secret: "{{ langfuse_sync_secret }}"
    standard_flow: false
    pkce: none
    service_account_roles: [view-users, view-realm]

- name: Remove the client
  llmops.langfuse.keycloak_client:
    url: https://sso.example.com
    auth_username: admin
    auth_password: "{{ keycloak_admin_password }}"
    realm: company
    state: absent
"""

RETURN = r"""
changes:
  description: V(create), V(delete), or the options that differed.
  type: list
  elements: str
  returned: success
  sample: [redirect_uris, secret]
client:
  description:
    - The client as it is, in check mode as it would be. C(id), the server's own id (none before the creation), C(client_id)
      and C(realm); and with O(state=present) C(redirect_uris), C(default_scopes), C(optional_scopes) and C(issuer), the value
      for C(AUTH_KEYCLOAK_ISSUER) as the server names it to whoever asks at O(url).
  type: dict
  returned: success
  sample:
    id: 0a994e7b-894f-4393-a127-7cfad9840767
    client_id: langfuse
    realm: company
    issuer: https://sso.example.com/realms/company
    redirect_uris: ["https://langfuse.example.com/api/auth/callback/keycloak"]
    default_scopes: [basic, email, profile]
    optional_scopes: []
secret:
  description: The client's secret.
  type: str
  returned: with O(return_secret), when the client exists
code:
  description:
    - Stable name of what is wrong. One of V(bad_option), V(keycloak_down), V(keycloak_tls), V(keycloak_not_ready),
      V(keycloak_not_keycloak), V(keycloak_redirects), V(keycloak_realm_missing), V(keycloak_wrong_password),
      V(keycloak_wrong_client), V(keycloak_login_refused), V(keycloak_denied), V(keycloak_foreign_client),
      V(keycloak_scope_missing), V(keycloak_role_missing), V(keycloak_claim_missing), V(keycloak_bad_request),
      V(keycloak_conflict), V(keycloak_not_kept).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(argument_spec=keycloak_client.SPEC, supports_check_mode=True)
    try:
        module.exit_json(**keycloak_client.ensure(module.params, module.check_mode))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
