"""``python -m stream_ser.load``."""

from stream_ser.load.run import main

if __name__ == "__main__":
    main()
