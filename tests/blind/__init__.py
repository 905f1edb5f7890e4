"""A second derivation of the closed forms, checked against exact brute force."""
