"""The server's options: flags, environment, file."""
