"""Validation: `raw.bundles` in; `events`, `sightings`, `erasures`, `quarantine` and `rejections` out."""
