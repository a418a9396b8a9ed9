"""River models, the frozen reference, evidence and drift."""
