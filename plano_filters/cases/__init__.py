"""The tests that a configuration carries: run, compared, reported."""
