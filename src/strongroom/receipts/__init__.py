"""Receipts: which delivered copy turned which input into which output (spec/receipt.md).

``commitment`` hides values, ``batch`` signs many at once, ``receipt_file`` and ``salt_file`` are what is
kept, ``verifying`` is what a stranger does who knows nothing but the owner's id.
"""
