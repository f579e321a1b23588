"""The data plane over HTTP: bare ASGI parts that a gateway process puts together."""
