"""``strongroom license``: everything about licenses but granting and accepting them.

``listing`` (list, show), ``narrowing`` (narrow, checkout), ``passing`` (sublicenses, end),
``standing`` (suspend, resume, approve), ``requesting`` (requests, refuse, answer),
``ending`` (revoke, withdraw-version), ``uploading`` (upload); ``stored`` reads those of this home.
"""

from __future__ import annotations

from strongroom.cli._page import noun, page
from strongroom.cli.license.ending import revoke, withdraw_version
from strongroom.cli.license.listing import list_, show
from strongroom.cli.license.narrowing import checkout, narrow
from strongroom.cli.license.passing import end, sublicenses
from strongroom.cli.license.requesting import answer, refuse, requests
from strongroom.cli.license.standing import approve, resume, suspend
from strongroom.cli.license.uploading import upload

app = noun(
    "license",
    "List, show, end, narrow and check out licenses.",
    page(list_, "list"),
    page(show, "show"),
    page(requests, "requests"),
    page(refuse, "refuse"),
    page(answer, "answer"),
    page(approve, "approve"),
    page(suspend, "suspend"),
    page(resume, "resume"),
    page(revoke, "revoke"),
    page(withdraw_version, "withdraw-version"),
    page(upload, "upload"),
    page(narrow, "narrow"),
    page(sublicenses, "sublicenses"),
    page(end, "end"),
    page(checkout, "checkout"),
)
