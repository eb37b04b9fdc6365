"""Prometheus exporter for Supercheck."""

__version__ = "0.1.0"
