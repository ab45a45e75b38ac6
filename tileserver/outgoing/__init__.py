"""Connections that the server opens to addresses that users give: to public ones only, and bounded.

It knows nothing of the application. `addresses` says which there may be, `guard` connects to them.
"""
