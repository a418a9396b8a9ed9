"""What ``distillwatch benchmark`` runs: contestants, stand, measurements."""
