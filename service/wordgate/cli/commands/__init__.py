"""The commands of `wordgate`, one file each."""
