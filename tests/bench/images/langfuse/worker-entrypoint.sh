#!/bin/sh
# The one step of worker/entrypoint.sh of Langfuse 4.16.0: it never migrates.
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

exec "$@"
