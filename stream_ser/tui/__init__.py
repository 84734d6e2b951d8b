"""The terminal screen: a subscriber that draws what the wire says, and nothing more.

It knows the pipeline only through the two protocols in :mod:`stream_ser.tui.view`. Everything here runs on one thread,
the Textual event loop's; no worker is started.
"""
