"""Serving: Hypercorn embedded, the guards in front, one process or several, the admin listener."""
