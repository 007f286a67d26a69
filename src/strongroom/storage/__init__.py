"""Where bytes lie: one interface, one file per technology.

A source answers two questions, how long it is and what stands at an offset. It
knows nothing of packages, keys or licenses.
"""
