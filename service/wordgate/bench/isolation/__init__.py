"""Performance isolation: the effect of one client on the others."""
