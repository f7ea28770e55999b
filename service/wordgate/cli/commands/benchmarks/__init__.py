"""The subcommands of `wordgate bench`, one file per benchmark."""
