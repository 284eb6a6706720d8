"""Where prices are read from."""
