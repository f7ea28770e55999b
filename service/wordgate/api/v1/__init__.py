"""Messages and stubs of the package wordgate.v1. Generated: never edited."""
