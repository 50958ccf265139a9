"""Hypothesis settings: the time of an example never decides, since the machine may be busy with servers."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
