"""Performance isolation: what one caller costs the others."""
