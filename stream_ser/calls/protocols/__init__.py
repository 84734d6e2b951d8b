"""What telephony speaks: each protocol turns bytes into the events of ``stream_ser.calls.events``, and does no I/O."""
