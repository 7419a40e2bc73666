"""Intervals, paired differences and breakdowns: how far scores can be trusted."""
