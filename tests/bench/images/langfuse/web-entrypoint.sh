#!/bin/sh
# The steps and messages of web/entrypoint.sh of Langfuse 4.16.0.
echo "Langfuse contract stand-in 4.16.0 (not Langfuse itself)"

if [ -z "$DATABASE_URL" ]; then
    if [ -n "$DATABASE_HOST" ] && [ -n "$DATABASE_USERNAME" ] && [ -n "$DATABASE_PASSWORD" ] && [ -n "$DATABASE_NAME" ]; then
        DATABASE_URL="postgresql://${DATABASE_USERNAME}:${DATABASE_PASSWORD}@${DATABASE_HOST}/${DATABASE_NAME}"
        if [ -n "$DATABASE_ARGS" ]; then
            DATABASE_URL="${DATABASE_URL}?${DATABASE_ARGS}"
        fi
        export DATABASE_URL
    else
        echo "Error: Required database environment variables are not set. Provide a postgres url for DATABASE_URL."
        exit 1
    fi
fi

if [ -z "$CLICKHOUSE_URL" ]; then
    echo "Error: CLICKHOUSE_URL is not configured. Migrating from V2? Check out migration guide: https://langfuse.com/self-hosting/upgrade-guides/upgrade-v2-to-v3"
    exit 1
fi

if [ -z "$DIRECT_URL" ]; then
    export DIRECT_URL="${DATABASE_URL}"
fi

if [ "$LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED" != "true" ]; then
    python3 -m standin.migrations postgres
    status=$?
    if [ $status -ne 0 ]; then
        echo "Applying database migrations failed. Common causes: the database is unavailable, the database credentials are wrong, or a previous migration failed."
        echo "HINT: credentials with special characters must be URL-encoded in DATABASE_URL."
        echo "Exiting..."
        exit $status
    fi
fi

if [ "$LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED" != "true" ]; then
    python3 -m standin.migrations clickhouse
    status=$?
    if [ $status -ne 0 ]; then
        echo "Applying clickhouse migrations failed. This is mostly caused by the database being unavailable."
        echo "Exiting..."
        exit $status
    fi
fi

exec "$@"
