"""Drawing and recording for `scripts/pictures`."""
