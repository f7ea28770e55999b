"""The server's options: flags, environment variables, configuration file."""
