"""Router models: what turns a conversation and a routing table into probabilities."""
