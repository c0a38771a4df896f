"""Tables of cases: one file a family of ops. Each row runs through every test of tests/test_tables.py."""
