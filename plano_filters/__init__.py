"""An LLM gateway assembled from filters in YAML."""
