"""Shapes of JSON that go in and out, as OpenAPI describes them."""
