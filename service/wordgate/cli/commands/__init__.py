"""The `wordgate` subcommands, one module each."""
