"""distillwatch: finds LLM distillation campaigns on Kafka, and acts on them."""

__all__ = ["__version__"]

__version__ = "0.1.0"
