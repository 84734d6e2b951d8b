"""``stream-ser live --browser``: no sound input of this machine, but the microphones of browsers that open the page.

Every page that listens, and every sound file dropped on one, is a stream of its own; the screen shows them as ``watch`` does.
So it works where there is no PortAudio, in containers, and on a machine that somebody reaches by ssh. Runs on the caller's
thread.
"""

from __future__ import annotations

import argparse
from contextlib import closing

from stream_ser.cli.opening import present
from stream_ser.cli.screen import has_terminal, load_screen, show, tell_addresses
from stream_ser.cli.watch import KEPT_S, print_feed
from stream_ser.cli.working import running
from stream_ser.controls.remote_feed import RemoteFeed
from stream_ser.errors import ConfigError
from stream_ser.feed.address import page_url
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.pipeline.runtime import Options


def listen_in_browsers(options: argparse.Namespace, given: Options) -> int:
    """Show what browsers bring until somebody leaves. Raises ConfigError for options that make no sense with it."""
    if options.device is not None:
        raise ConfigError(
            f"--device {options.device} was given with --browser, which asks for the microphone itself", fix="give one"
        )
    if given.feed == "off":
        raise ConfigError("--feed off was given with --browser, and the page is at the feed's port", fix="give one")
    on_screen = has_terminal() and not options.headless
    with running(given, pages=True, meanwhile=load_screen if on_screen else lambda: None) as runtime:
        assert runtime.feed_url is not None
        tell_addresses(runtime.feed_url, runtime.feed_moved_from)
        told = f"open {page_url(runtime.feed_url)} in a browser and press: Listen with a microphone"
        with present().aside():
            print(told, flush=True)
        with closing(RemoteFeed(runtime.feed_url, SubscriptionFilter(snapshot=True))) as remote:
            remote.start()
            if not on_screen:
                print_feed(remote, options.verbose)
            else:
                show(
                    remote,
                    remote,
                    feed=remote.url,
                    home=lambda app: app.grid(keep_s=KEPT_S, open_single=True, empty=told),
                )
    return 0
