"""The server's entry: HTTP to Django, websockets to the live room."""

import os
import sys

sys.setswitchinterval(0.001)  # the event loop waits at most so long for a decoding thread to give way, not 5 ms
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from backend.config.checks import refuse_demo_accounts  # noqa: E402  (Django must be set up first)
from backend.live.routing import websocket  # noqa: E402

refuse_demo_accounts()

application = ProtocolTypeRouter({"http": http, "websocket": websocket})
