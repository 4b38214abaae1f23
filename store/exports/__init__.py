"""Exporters: how each trainer wants the rows, one file a trainer, named as the trainer."""
