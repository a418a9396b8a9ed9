"""Ladder, budget and standing actions: what is done about evidence."""
