# Writes the archive into the volume as one file, by pg_dump: NAME.dump, which has that name only once it is whole.
#   docker compose run --rm backup [NAME]
set -eu
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
cd /var/lib/postgresql
name=${1:-bigbrotr-$(date -u +%Y%m%dT%H%M%SZ)}
# Level 3 is zstd's own default: further ones cost much more time than they save space.
pg_dump --format=custom --compress=zstd:3 --file="$name.part" "$ARCHIVE"
mv "$name.part" "$name.dump"
ls -sh "$name.dump"
