# Reads a dump into a new database beside the archive; it never writes over one, and leaves none behind that is not
# whole. Roles and rights are given to it by `migrate`, which must follow.
#   docker compose run --rm restore NAME [DATABASE]
set -eu
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
dump=${1:-}.dump
database=${2:-bigbrotr_restored}
if [ ! -f "$dump" ]; then
    {
        echo "${1:+there is no dump $1; }say: restore NAME [DATABASE], where NAME is one of these:"
        find . -maxdepth 1 -name '*.dump' | sed 's#^\./#  #; s#\.dump$##' | sort
    } >&2
    exit 2
fi
server=${ARCHIVE%/*}
sql() { psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --set=name="$database" "$server/postgres"; }
if ! echo "CREATE DATABASE :\"name\" ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;" | sql; then
    echo "the database $database was not made, and $dump not read: for another one say restore $1 DATABASE" >&2
    exit 1
fi
trap 'echo "DROP DATABASE :\"name\" WITH (FORCE);" | sql' EXIT
trap 'exit 1' HUP INT TERM
# Two jobs: the tables of months are loaded and indexed side by side. In the background, since a shell hears a signal
# only between two commands, or while it waits.
pg_restore --exit-on-error --no-owner --no-privileges --jobs=2 --dbname="$server/$database" "$dump" &
wait $!
trap - EXIT
echo "restored $dump into the database $database"
