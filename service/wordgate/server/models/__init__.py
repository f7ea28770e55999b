"""Registry of served models and hot reloading of new versions."""
