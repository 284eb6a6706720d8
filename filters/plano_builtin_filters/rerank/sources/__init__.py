"""Where prices, abilities and latencies come from."""
