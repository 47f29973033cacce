"""Supplyline: files in, every row accounted for, inventory forecast out.

The engine. It imports neither Django nor Airflow; both call it.
"""

__version__ = "0.1.0"
