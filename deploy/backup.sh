# Writes the archive into the volume as one file, by pg_dump: NAME.dump, which has that name only once it is whole.
#   docker compose run --rm backup [NAME]
set -eu
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
cd /var/lib/postgresql
name=${1:-bigbrotr-$(date -u +%Y%m%dT%H%M%SZ)}
# gzip, as every build of PostgreSQL has it; its first level saves most of the space in the least time.
pg_dump --format=custom --compress=gzip:1 --file="$name.part" "$ARCHIVE"
mv "$name.part" "$name.dump"
ls -sh "$name.dump"
