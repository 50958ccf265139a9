# Reads a dump into a new database beside the archive; it never writes over one. Roles and rights are given to it by
# `migrate`, which must follow.
#   docker compose run --rm restore NAME [DATABASE]
set -eu
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
cd /var/lib/postgresql
[ $# -ge 1 ] || { echo "name a dump: restore NAME [DATABASE]; there are:"; ls -1 -- *.dump 2>/dev/null; exit 2; } >&2
database=${2:-bigbrotr_restored}
psql --quiet --set=ON_ERROR_STOP=1 --set=name="$database" "$ARCHIVE" <<'SQL'
CREATE DATABASE :"name" ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;
SQL
# Two jobs: the tables of months are loaded and indexed side by side.
pg_restore --exit-on-error --no-owner --no-privileges --jobs=2 --dbname="${ARCHIVE%/*}/$database" "$1.dump"
echo "restored $1.dump into the database $database"
