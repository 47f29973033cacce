"""Readers turn bytes into rows, one format each, in bounded memory."""
