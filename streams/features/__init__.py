"""Rolling state of an account and of a facet, and the kernels that update it."""
