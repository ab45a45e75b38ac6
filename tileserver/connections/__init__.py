"""Clients' connections: read and written outside the threads that work, bounded in number, time and memory.

It knows gunicorn and nothing of the application. `--worker-class tileserver.connections.worker.Worker` puts
it to work; `tileserver.cli.gunicorn` does.
"""
