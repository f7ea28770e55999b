"""The models that are served, and the watch for new versions."""
