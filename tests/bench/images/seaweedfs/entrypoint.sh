#!/bin/sh
# The official image's contract: the first word is a `weed` subcommand, some of which get defaults.
set -eu

export GODEBUG="${GODEBUG:+$GODEBUG,}fips140=on"

has_flag() {
    flag=$1
    shift
    for word in "$@"; do
        case "$word" in
            "$flag" | "$flag="* | "-$flag" | "-$flag="*) return 0 ;;
        esac
    done
    return 1
}

if [ "$(id -u)" = 0 ]; then
    find /data \! -user seaweed -exec chown seaweed:seaweed '{}' +
    exec setpriv --reuid=seaweed --regid=seaweed --clear-groups -- "$0" "$@"
fi

command=${1-}
[ $# -eq 0 ] || shift
case "$command" in
    master) exec weed -logtostderr=true master -mdir=/data -volumeSizeLimitMB=1024 "$@" ;;
    volume)
        has_flag -max "$@" || set -- -max=0 "$@"
        exec weed -logtostderr=true volume -dir=/data "$@"
        ;;
    server)
        has_flag -volume.max "$@" || set -- -volume.max=0 "$@"
        exec weed -logtostderr=true server -dir=/data -master.volumeSizeLimitMB=1024 "$@"
        ;;
    mini)
        has_flag -dir "$@" || set -- -dir=/data "$@"
        exec weed -logtostderr=true mini "$@"
        ;;
    filer) exec weed -logtostderr=true filer "$@" ;;
    s3)
        set -- "-domainName=${S3_DOMAIN_NAME-}" "-key.file=${S3_KEY_FILE-}" "-cert.file=${S3_CERT_FILE-}" "$@"
        exec weed -logtostderr=true s3 "$@"
        ;;
    *) exec weed ${command:+"$command"} "$@" ;;
esac
