"""Sound files as they are found: what a container says of its length, what it holds, and how to hear all of it.

libsndfile believes headers. Here they are compared with the bytes, and where they say too little a corrected file is made of
the same bytes, without a copy of them: see :mod:`stream_ser.audio.files.plan`.
"""
