"""What every request passes before a route sees it; each guard is one ASGI application."""
