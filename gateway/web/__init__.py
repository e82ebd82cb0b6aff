"""Arriving: HTTP in, receipts or problem documents out."""
