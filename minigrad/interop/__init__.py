"""Files: what is written and read, whole or not at all."""
