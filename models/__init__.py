"""Architectures: one file each, with configuration, network and loss, written against the public API alone."""
