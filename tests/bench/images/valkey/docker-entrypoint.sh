#!/bin/sh
# The official image's contract: a flag or a *.conf as the first word means valkey-server.
set -eu

case "${1-}" in
    -* | *.conf) set -- valkey-server "$@" ;;
esac

if [ "${1-}" = valkey-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user valkey -exec chown valkey '{}' +
    exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi

# Dumps hold every value: nobody else may read them.
if [ "$(umask)" = 0022 ]; then
    umask 0077
fi

# shellcheck disable=SC2086
exec "$@" ${VALKEY_EXTRA_FLAGS-}
