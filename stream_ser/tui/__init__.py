"""The terminal screen: a subscriber that draws what the wire says, and nothing more.

It knows the pipeline only through the two protocols in :mod:`stream_ser.tui.state.stream_state`. Everything here runs on one
thread, the Textual event loop's; no worker is started.
"""
