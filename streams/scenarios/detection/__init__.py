"""How well campaigns are found: populations, attackers, peers, and exact intervals.

Each part of `distillwatch benchmark detection` is a function here, without a clock.
"""
