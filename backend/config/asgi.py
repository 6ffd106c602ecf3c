"""The server's entry: HTTP to Django, websockets to the live room."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from backend.config.checks import refuse_demo_accounts  # noqa: E402  (Django must be set up first)
from backend.live.routing import websocket  # noqa: E402

refuse_demo_accounts()

application = ProtocolTypeRouter({"http": http, "websocket": websocket})
