"""The trajectory out: wire messages and their schema, the hub, the websocket server and a client.

Import the module that is needed (``stream_ser.feed.messages``, ``.hub``, ``.server``, ``.client``); this file imports
none of them, so whoever only wants messages does not load a websocket library.
"""
