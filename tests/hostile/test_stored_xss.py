"""Texts that would run as a program in a careless page are shown as the texts they are (hazard 13)."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page

from tests.support.browser import Watch
from tests.support.server import Stack

RUN = "window.__ran=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<iframe src=javascript:parent.{RUN}>",
    f"<object data=javascript:{RUN}>",
    f"<embed src=javascript:{RUN}>",
    f"<a href=javascript:{RUN} autofocus>x</a>",
    f"<body onload={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}>",
    f"<textarea autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}>",
    f"<audio src=x onerror={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<marquee onstart={RUN}>",
    f"<math><mtext><script>{RUN}</script>",
    f"<template><script>{RUN}</script></template>",
    f"<style>@import 'javascript:{RUN}'</style>",
    f"<link rel=stylesheet href=javascript:{RUN}>",
    f"<meta http-equiv=refresh content='0;javascript:{RUN}'>",
    f"<base href=javascript:{RUN}//>",
    f"<form action=javascript:{RUN}><button autofocus>",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f'" onmouseover={RUN} x="',
    f"' onfocus={RUN} autofocus x='",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<!--><script>{RUN}</script>-->",
    f"<![CDATA[<script>{RUN}</script>]]>",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"$t(signin.title) <img src=x onerror={RUN}>",
    f"\u2028<img\tsrc=x\nonerror={RUN}>",
    "<img src=x onerror=&#119;indow.__ran=1>",
    f"%3Cscript%3E{RUN}%3C/script%3E",
]
SETUP = """
import json, sys
from backend.accounts.models import User
from backend.annotations.services import create
from backend.projects import classes, services
from backend.projects.models import Member
from backend.rasters.models import Raster
from uuid import uuid4
payloads = json.loads(sys.argv[1])
olivia = User.objects.get(username="olivia")
project = services.create_project(olivia, "Payloads " + payloads[0][:80], " ".join(payloads)[:1900])
member = Member.objects.get(project=project, user=olivia)
User.objects.filter(username="anton").update(display_name=payloads[1][:80])
services.add_member(project.id, User.objects.get(username="anton"), "annotator", actor=olivia)
for index, text in enumerate(payloads):
    entry = {"key": "note", "label": text[:80], "type": "text", "required": False}
    choice = {"key": "pick", "label": "Pick", "type": "choice", "required": False, "choices": [text[:80]]}
    kind = classes.create(project.id, olivia, {"name": text[:80], "colour": "#e8590c", "attributes": [entry, choice]})
    lon = 10 + index * 0.002
    ring = [[lon, 50], [lon + 0.001, 50], [lon + 0.001, 50.001], [lon, 50]]
    said = {"label_class": str(kind.id), "geometry": {"type": "Polygon", "coordinates": [ring]},
            "attributes": {"note": text, "pick": text[:80]}, "status": "submitted",
            "provenance": {"kind": "suggested", "model": text[:200], "source": text[:200]}}
    create(uuid4(), said, member=member)
    Raster.objects.create(project=project, name=text[:200], state="refused", source_path="", created_by=olivia,
                          error={"code": "raster.corrupt", "message": text, "remedy": text})
print(project.id)
"""


@pytest.mark.timeout(300)
def test_forty_payloads_in_every_text_stay_texts(
    stack: Stack,
    sign_in: Callable[..., Page],
) -> None:
    assert len(PAYLOADS) >= 40
    project = stack.python(SETUP, json.dumps(PAYLOADS)).splitlines()[-1]
    page = sign_in("olivia")
    refused: list[str] = []
    page.on("dialog", lambda dialog: refused.append(dialog.message))

    for screen in ("map", "review", "data", "activity", "settings"):
        page.goto(f"/projects/{project}/{screen}")
        page.get_by_test_id("top-bar").wait_for()
        page.wait_for_timeout(1200)
        assert page.evaluate("() => window.__ran") is None, screen
        assert page.locator("main script, main iframe, main object, main embed").count() == 0, screen
    page.goto(f"/projects/{project}/data")
    refusals = page.get_by_test_id("raster-refused")
    refusals.filter(has_text=PAYLOADS[1]).first.wait_for()  # shown, as the text it is

    page.goto(f"/projects/{project}/map")
    page.wait_for_function("() => edgewise.state().loaded")
    for shape in page.evaluate("() => [...edgewise.state().annotations.keys()]")[:8]:
        page.goto(f"/projects/{project}/map?shape={shape}")
        page.get_by_test_id("selected-panel").wait_for()
        page.wait_for_timeout(150)
        assert page.evaluate("() => window.__ran") is None
    page.goto("/")
    page.get_by_test_id("project-list").wait_for()
    assert page.evaluate("() => window.__ran") is None
    assert refused == []


def test_the_policy_of_the_page_allows_no_inline_program(
    stack: Stack,
    sign_in: Callable[..., Page],
    watch: Watch,
) -> None:
    page = sign_in("olivia")
    answer = page.goto("/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if " " in rule.strip())

    assert rules["script-src"] == "'self'"
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert rules["object-src"] == "'none'"
    watch.outage = True  # the browser's own complaint is what is wanted here
    ran = page.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'window.__inline = 1';
                  document.body.append(s); return window.__inline ?? null; }"""
    )
    assert ran is None, "an inline script ran: the policy is not in force"


def test_user_files_are_sent_as_downloads_that_no_browser_sniffs(
    stack: Stack,
    sign_in: Callable[..., Page],
) -> None:
    page = sign_in("olivia")
    project = page.request.get("/api/projects").json()["projects"][0]["id"]
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    made = page.request.post(
        f"/api/projects/{project}/exports",
        data={"format": "geojson", "filters": {}},
        headers={"X-CSRFToken": token, "Referer": stack.url, "X-Request": str(uuid4())},
    ).json()
    for _ in range(100):
        if page.request.get(f"/api/exports/{made['id']}").json()["state"] == "done":
            break
        page.wait_for_timeout(200)
    file = page.request.get(f"/api/exports/{made['id']}/download")

    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-type"] == "application/geo+json"
