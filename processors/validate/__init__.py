"""The validate agent: `raw.bundles` in; `events`, `sightings`, `quarantine` and `rejections` out."""
