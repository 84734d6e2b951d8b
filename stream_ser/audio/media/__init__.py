"""What phones, browsers and cameras record: containers that libsndfile does not read, and the sound of videos.

PyAV decodes them (extra ``[media]``), or an ffmpeg on the PATH. Nothing is read at once: memory does not grow with the file.
"""
