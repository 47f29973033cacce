"""Forecasting methods for many series at once, written over arrays of (periods, series).

Promises: a method never raises for a history that `panel.Panel` accepts; a series' forecast does
not depend on which other series stand beside it, nor on their order: every step works column by
column. Each method fits by trying one grid of parameters on all series in the same pass, which
costs about a hundredth of one optimiser run per series.
"""
