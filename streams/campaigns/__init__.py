"""Links between accounts, groups of linked accounts, and the life of a campaign."""
