"""An instance whose users come from a Keycloak: the scenario `sso`."""
