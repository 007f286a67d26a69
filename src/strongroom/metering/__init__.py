"""Counting: what a license still allows is charged before an answer leaves.

``meter`` decides about each request and keeps a block of predictions in hand, so that a
busy runtime writes to the disk once for many rows and still stops at the exact number.
"""
