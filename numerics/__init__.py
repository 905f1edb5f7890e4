"""Floating point on concrete chains: accurate elimination, spectra, simulation.

Every module works from a chain's off-diagonal entries; see `numerics.chain`.
"""
