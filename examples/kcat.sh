#!/usr/bin/env bash
# Prints ids and kinds of the first COUNT events of the topic TOPIC with kcat and jq, after:
#   eval "$(bigbrotr embedded env)"
#   bash examples/kcat.sh
set -euo pipefail
topic=${TOPIC:-nostr.events}
count=${COUNT:-5}

# The file that KCAT_CONFIG names has address and password: on a command line, every user of the machine would see them.
kcat -F "$KCAT_CONFIG" -C -t "$topic" -o beginning -c "$count" -e -q | jq -c '[.event.id, .event.kind, .relay]'
