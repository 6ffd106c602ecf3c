"""The server's entry: HTTP to Django, websockets to the live room."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from backend.config.body_limit import BodyLimit  # noqa: E402  (Django must be set up first)
from backend.config.checks import refuse_demo_accounts  # noqa: E402
from backend.live.routing import websocket  # noqa: E402
from backend.rasters.uploads import CHUNK_LIMIT  # noqa: E402  (the largest body there is: one piece of an upload)

refuse_demo_accounts()
sys.setswitchinterval(0.001)  # the event loop waits at most so long for a decoding thread to give way, not 5 ms

application = ProtocolTypeRouter({"http": BodyLimit(http, CHUNK_LIMIT + 65_536), "websocket": websocket})
