"""Provenance for strangers: signatures that standard tools verify without any key of ours.

``openssf`` writes and checks the OpenSSF Model Signing bundle beside a package. What a
partner relies on is the statement inside the package, not this.
"""
