#!/bin/sh
# The official image's contract: no arguments, or flags, start the server; anything else is run as it is.
set -eu

case "${1---}" in
    --*) set -- clickhouse-server "$@" ;;
esac

if [ "$(id -u)" = 0 ] && [ "$1" = clickhouse-server ]; then
    if [ "${CLICKHOUSE_DO_NOT_CHOWN:-0}" != 1 ] && [ "$(stat -c %u /var/lib/clickhouse)" != 101 ]; then
        chown -R clickhouse:clickhouse /var/lib/clickhouse
    fi
    exec setpriv --reuid=clickhouse --regid=clickhouse --clear-groups -- "$@"
fi

exec "$@"
