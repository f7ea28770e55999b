"""How the core's properties are tried: without a clock, which says nothing on a busy machine."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
