"""Exact theory of metastable chains: closed forms, bounds and certificates (no floats)."""
