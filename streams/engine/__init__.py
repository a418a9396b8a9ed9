"""The pure core that agents, replay, benchmarks and most tests call.

Event time only: no Kafka, no event loop, no clock, no environment.
"""
