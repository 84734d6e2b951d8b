"""The example agents, run as a reader runs them, but faster."""

from __future__ import annotations

from pathlib import Path

import pytest


async def test_the_pipecat_agent_tells_the_model_how_to_speak(
    bundled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pipecat", reason="needs pipecat-ai: pip install 'stream-ser[pipecat]'")
    from demos import pipecat_agent

    await pipecat_agent.main(bundled, speed=6.0)
    told = capsys.readouterr().out
    assert "happy" in told
    assert "told the model: The caller sounds sad. Be slow and kind." in told


async def test_the_livekit_agent_changes_its_instructions(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("livekit.agents", reason="needs livekit-agents: pip install 'stream-ser[livekit]'")
    from demos import livekit_agent

    await livekit_agent.main(bundled, speed=6.0)
    lines = capsys.readouterr().out.splitlines()
    assert any("happy" in line and line.endswith(livekit_agent.INSTRUCTIONS) for line in lines)
    assert any("sad" in line and line.endswith("Be slow and kind.") for line in lines)
