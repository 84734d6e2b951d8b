"""A microphone without a sound card: what is played into it is what PortAudio records.

A private PulseAudio, without systemd or D-Bus and also as root, has one null sink. ALSA's default device is pointed at that
sink's monitor through the pulse plug-in, and PortAudio sees it like any other input. Nothing outside one folder is touched.

    sudo python tests/virtual_mic/virtual_mic.py install    # Debian and Ubuntu: the packages below
    python tests/virtual_mic/virtual_mic.py run             # prints the variables to export; Ctrl-C ends it

PortAudio lists devices once, so the variables must be set before the program that records starts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = (
    "libportaudio2",  # what sounddevice loads
    "pulseaudio",  # the server with the null sink
    "pulseaudio-utils",  # paplay, which plays into the sink, and pactl
    "libasound2-plugins",  # ALSA's pulse plug-in, which PortAudio's ALSA host records through
)
SINK = "stream_ser_test"


class VirtualMicrophone:
    """A running server. ``variables`` is what a program that records from it, or plays into it, needs in its environment."""

    def __init__(self, rate: int = 48_000, channels: int = 1) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vmic-"))  # a socket's path may hold 107 characters only
        socket = self._folder / "socket"
        self.variables = {
            "PULSE_SERVER": f"unix:{socket}",
            "ALSA_CONFIG_PATH": str(self._folder / "asound.conf"),
        }
        (self._folder / "asound.conf").write_text(
            "</usr/share/alsa/alsa.conf>\n"
            f'pcm.!default {{ type pulse server "unix:{socket}" device "{SINK}.monitor" }}\n'
            f'ctl.!default {{ type pulse server "unix:{socket}" }}\n'
        )
        # norewinds: the sink does not take back what it has mixed, else recording starts up to 2 s late
        sink = f"module-null-sink sink_name={SINK} rate={rate} channels={channels} format=float32le norewinds=1"
        command = [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--use-pid-file=no",
            "--exit-idle-time=-1",
            "--disallow-exit=yes",
        ]
        command += ["--realtime=no", "--high-priority=no", "--resample-method=speex-float-10"]
        command += [f"--log-target=file:{self._folder / 'log'}"]
        command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}", "-L", sink]
        own = {"HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder), "PULSE_RUNTIME_PATH": str(self._folder)}
        own["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
        self._server = subprocess.Popen(
            command,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_it_answers()

    def environment(self) -> dict[str, str]:
        """This process's environment with ``variables`` in it."""
        return {**os.environ, **self.variables}

    def play(self, path: str | Path) -> None:
        """Play a sound file into the microphone, in real time, and return when the server has taken its last sample.

        That is up to 0.2 s before it is heard: give the file as much silence at its end.
        """
        subprocess.run(["paplay", f"--device={SINK}", str(path)], env=self.environment(), check=True)

    def freeze(self) -> None:
        """Let the server hang, as a driver does whose device was pulled out, until :meth:`thaw`."""
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End what :meth:`freeze` began."""
        self._server.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self._server.poll() is None:
            self.thaw()
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(2.0)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._server.poll() is None:
            if subprocess.run(["pactl", "info"], env=self.environment(), capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        log = self._folder / "log"
        text = log.read_text(errors="replace") if log.exists() else "no log"
        self.stop()
        raise RuntimeError(f"PulseAudio did not start: {text}")


def missing() -> str | None:
    """What this machine lacks, or None."""
    for program in ("pulseaudio", "paplay", "pactl"):
        if shutil.which(program) is None:
            return f"{program} is not installed (python tests/virtual_mic/virtual_mic.py install)"
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA's pulse plug-in is not installed (python tests/virtual_mic/virtual_mic.py install)"
    load = subprocess.run([sys.executable, "-c", "import sounddevice"], capture_output=True, text=True)
    return load.stderr.strip().splitlines()[-1] if load.returncode else None


def main(arguments: list[str]) -> int:
    if arguments == ["install"]:
        subprocess.run(["apt-get", "update"], check=True)
        return subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]).returncode
    if arguments == ["run"]:
        microphone = VirtualMicrophone()
        for name, value in microphone.variables.items():
            print(f"export {name}={value}")
        print(f"# then play into it with: paplay --device={SINK} FILE", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            microphone.stop()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
