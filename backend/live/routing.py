"""Which consumer answers which websocket address."""

from channels.routing import URLRouter
from django.urls import path

from backend.live.consumers import ProjectConsumer

websocket = URLRouter([path("ws/projects/<uuid:project_id>", ProjectConsumer.as_asgi())])
