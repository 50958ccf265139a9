"""Validation: `raw.bundles` in; `events`, `sightings`, `erasures`, `relays.found` and what was refused out."""
