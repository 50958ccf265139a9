#!/usr/bin/env bash
# Makes the database cluster once, as the user postgres, and becomes the server; any other command is run as it is.
set -o errexit -o nounset -o pipefail

# Gives the value of a variable, or the text of the file that the same name with _FILE names, or a default.
value_of() {
    local name=$1 file_name=$1_FILE
    if [[ -n ${!name-} && -n ${!file_name-} ]]; then
        echo "both $name and $file_name are set: give one" >&2
        return 1
    fi
    if [[ -n ${!file_name-} ]]; then
        cat -- "${!file_name}"
    else
        printf '%s' "${!name:-$2}"
    fi
}

initialise() {
    local user password database arguments
    user=$(value_of POSTGRES_USER postgres)
    password=$(value_of POSTGRES_PASSWORD '')
    database=$(value_of POSTGRES_DB "$user")
    arguments=$(value_of POSTGRES_INITDB_ARGS '')
    if [[ -z $password ]]; then
        echo 'the database has no superuser password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE' >&2
        return 1
    fi
    # The arguments are written as in a shell, quotes and all.
    eval "initdb --username=\"\$user\" --pwfile=<(printf '%s\n' \"\$password\") $arguments"
    # Local connections are trusted, all others give a password.
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    if [[ $database != postgres ]]; then
        # A server of one session needs no socket, so that no client takes a half-made cluster for a ready one.
        echo "CREATE DATABASE \"${database//\"/\"\"}\"" | postgres --single -D "$PGDATA" postgres
    fi
}

if [[ ${1-} == -* ]]; then
    set -- postgres "$@"
fi
if [[ ${1-} == postgres ]]; then
    mkdir --parents "$PGDATA"
    if (($(id -u) == 0)); then
        find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
        exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
    fi
    chmod 700 "$PGDATA"
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        initialise
    fi
fi
exec "$@"
