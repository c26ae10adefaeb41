"""How people reach it: the HTTP service, the command line, the Python client, the demo."""
