#!/bin/bash
# The official image's contract: initialise an empty PGDATA from the environment, then become the server.
set -Eeuo pipefail

# NAME or NAME_FILE, as with Docker secrets; both at once is a mistake.
from_environment() {
    local name=$1 default=${2-} file_name=${1}_FILE
    if [[ -n ${!name-} && -n ${!file_name-} ]]; then
        echo "error: both $name and $file_name are set (but are exclusive)" >&2
        exit 1
    fi
    if [[ -n ${!file_name-} ]]; then
        default=$(<"${!file_name}")
    fi
    printf -v "$name" '%s' "${!name:-$default}"
    unset "$file_name"
}

create_cluster() {
    local locale_arguments=()
    eval "locale_arguments=(${POSTGRES_INITDB_ARGS-})"
    if [[ -n ${POSTGRES_INITDB_WALDIR-} ]]; then
        locale_arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
    fi
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${locale_arguments[@]}"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
}

run_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

create_database() {
    POSTGRES_DB=postgres run_sql --set db="$POSTGRES_DB" <<'SQL'
SELECT 'CREATE DATABASE ' || quote_ident(:'db')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
SQL
}

run_initialisation_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh)
                echo "$0: running $file"
                # shellcheck disable=SC1090
                if [[ -x $file ]]; then "$file"; else . "$file"; fi
                ;;
            *.sql) echo "$0: running $file"; run_sql -f "$file" ;;
            *.sql.gz) echo "$0: running $file"; gunzip -c "$file" | run_sql ;;
            */\*) ;;
            *) echo "$0: ignoring $file" ;;
        esac
    done
}

if [[ ${1-} == -* ]]; then
    set -- postgres "$@"
fi

if [[ ${1-} == postgres ]]; then
    if [[ $(id -u) == 0 ]]; then
        install -d -m 0700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        install -d -o postgres -g postgres -m 3775 /var/run/postgresql
        exec gosu postgres "$0" "$@"
    fi
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA" 2>/dev/null || true
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        from_environment POSTGRES_PASSWORD
        from_environment POSTGRES_USER postgres
        from_environment POSTGRES_DB "$POSTGRES_USER"
        from_environment POSTGRES_INITDB_ARGS
        if [[ -z $POSTGRES_PASSWORD && ${POSTGRES_HOST_AUTH_METHOD-} != trust ]]; then
            echo "Error: Database is uninitialized and superuser password is not specified." >&2
            echo "       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser." >&2
            exit 1
        fi
        create_cluster
        # Reachable by socket only: nothing outside may take this one for the finished server.
        PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' ${*:2}" -w start
        create_database
        run_initialisation_files
        PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
        echo
        echo "PostgreSQL init process complete; ready for start up."
        echo
    else
        echo
        echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
        echo
    fi
    unset POSTGRES_PASSWORD
fi

exec "$@"
