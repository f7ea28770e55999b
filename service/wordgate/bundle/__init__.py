"""A published model on disk: manifest, files, verification."""
