"""Builders of the checked-in dashboards: `python -m dashboards.src --write` makes dashboards/*.json."""
