"""Django: a view that hands each webhook to an inbox."""

from __future__ import annotations

import django
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from receivers import FAULTS, PATH, SECRET, answers_to, serving_wsgi

from runoutcome.webhooks import Inbox, WebhookError

PACKAGE = "django"

inboxes: dict[str, Inbox] = {}


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, headers: str) -> HttpResponse:
    """The view, of the headers in one of two forms."""
    told = request.headers if headers == "headers" else request.META
    try:
        receipt = inboxes[headers].receive(request.body, told)
    except WebhookError as error:
        return HttpResponse(str(error), status=400)
    return HttpResponse(status=204 if receipt.is_new else 200)


urlpatterns = [path(f"{PATH[1:]}/<headers>", webhook)]


@pytest.fixture(scope="module")
def base() -> str:
    """A site with this one view."""
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY="any",
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        LOGGING_CONFIG=None,
    )
    django.setup()
    with serving_wsgi(get_wsgi_application()) as base:
        yield base


@pytest.mark.parametrize("headers", ["headers", "META"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_view_receives(base: str, fault: str, headers: str) -> None:
    """`inbox.receive(request.body, request.headers)` takes webhooks in, also with `request.META`."""
    inboxes[headers] = inbox = Inbox(SECRET)
    assert answers_to(f"{base}{PATH}/{headers}", fault, inbox) == (FAULTS[fault], ["the waiter"])
