"""The instrument behind ``minigrad bench``: what is timed, how it is timed, and when a number is refused.

A training step is described by a :class:`~minigrad.bench.workload.Workload`.
"""
