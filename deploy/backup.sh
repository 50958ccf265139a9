# Writes the archive into the volume as one file, by pg_dump: NAME.dump, which has that name only once it is whole. It
# never writes over one.
#   docker compose run --rm backup [NAME]
set -eu
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
name=${1:-bigbrotr-$(date -u +%Y%m%dT%H%M%SZ)}
if [ -e "$name.dump" ]; then
    echo "there is a dump $name already: say backup with another NAME, or remove $name.dump first" >&2
    exit 2
fi
trap 'rm -f -- "$name.part"' EXIT
trap 'exit 1' HUP INT TERM
# gzip, as every build of PostgreSQL has it; its first level saves most of the space in the least time. In the
# background, since a shell hears a signal only between two commands, or while it waits.
pg_dump --format=custom --compress=gzip:1 --file="$name.part" "$ARCHIVE" &
wait $!
mv -- "$name.part" "$name.dump"
ls -sh -- "$name.dump"
