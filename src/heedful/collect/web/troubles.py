"""What programs are told of a request that does not fit, and everybody while the database does not answer."""

from __future__ import annotations

import logging

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError

from heedful.collect.web.errors import explained

UNREACHABLE = (OperationalError, TimeoutError)
"""A database that does not answer, or one of whose connections none has become free."""

RETRY_AFTER = 2  # seconds
DETAIL = "The database does not answer. What was acknowledged is kept; try again."
MOST_FAULTS = 3  # of a request that are told

_log = logging.getLogger(__name__)


def unfit(request: Request, error: Exception) -> Response:
    """422: where a request does not fit and why, without what was sent: it may be no text at all."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    told = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        told.append(f"and {len(faults) - MOST_FAULTS} more")
    return explained(request, HTTPException(422, "; ".join(told).encode(errors="replace").decode()))


def unreachable(request: Request, error: Exception) -> Response:
    """503; the reason goes to the server's log alone."""
    _log.error("The database does not answer: %s", error.orig if isinstance(error, DBAPIError) else error)
    return explained(request, HTTPException(503, DETAIL, {"Retry-After": str(RETRY_AFTER)}))
