from __future__ import annotations

from typing import Any

from stream_ser.bench.report import show

RESULT: dict[str, Any] = {
    "machine": {
        "processor": "Fast 9000",
        "cores": 2,
        "system": "Linux x86_64",
        "python": "3.11.7",
        "packages": {"numpy": "2.4.6", "onnxruntime": "1.31.1"},
        "cuda": {"name": "NVIDIA H200", "driver": "570.1"},
        "ceiling_gflops": {"cpu": 100.0, "cuda": 50_000.0},
        "pinned": True,
    },
    "model": {"name": "small", "parameters": 12_345, "macs": 20_000_000, "window_s": 2.0},
    "engines": [
        {"engine": "cuda-graph", "unavailable": "torch is not installed"},
        {
            "engine": "onnx",
            "backend": "onnxruntime-cpu",
            "ready_s": 0.1,
            "memory_mb": 40.2,
            "device_memory_mb": None,
            "windows": [
                {"batch": 1, "p50_ms": 4.0, "p99_ms": 5.0, "windows_s": 250.0, "gflops": 10.0, "of_ceiling": 0.1},
                {"batch": 2, "p50_ms": 8.0, "p99_ms": 9.0, "windows_s": 250.0, "gflops": 10.0, "of_ceiling": None},
            ],
            "steps": [
                {"hop_s": 0.1, "batch": 1, "p50_ms": 0.5, "p99_ms": 0.6, "whole_p50_ms": 4.0, "times_cheaper": 8.0}
            ],
            "start": {"p50_ms": 4.5, "p99_ms": 5.5},
            "front_end_share": 0.25,
            "streams": [
                {"hop_s": 1.0, "steps": False, "carried": 0, "not_carried": 200},
                {
                    "hop_s": 0.25,
                    "steps": True,
                    "carried": 400,
                    "not_carried": None,
                    "age_p50_ms": 3.21,
                    "age_p99_ms": 21.0,
                    "fed_late_p99_ms": 0.52,
                },
            ],
        },
    ],
    "peers": [
        {"peer": "opensmile-egemaps", "unavailable": "not installed; pip install opensmile"},
        {
            "peer": "wav2vec2-base",
            "p50_ms": 300.0,
            "p99_ms": 320.0,
            "beside": "onnxruntime-cpu",
            "times_window": 75.0,
            "times_hop": {"0.1": 600.0},
        },
    ],
    "hop_by_hop": None,
    "stream": {
        "backend": "onnxruntime-cpu",
        "hop_s": 0.25,
        "sound_s": 38.26,
        "rest_ms_a_point": 0.2,
        "times_real_time": 130.0,
        "times_real_time_if_nobody_paused": 80.0,
        "cpu_share_live": 0.01,
        "peak_rss_mb": 90.0,
    },
    "start_to_ready_s": 0.3,
    "live": {"room_noise_cpu_share": 0.0123, "callback_p50_us": 11.2, "callback_p99_us": 40.6},
    "words": {"recogniser": "pocketsphinx", "of_real_time_while_speaking": 0.3, "longest_block_ms": 80.0},
    "took_s": 61.2,
}
SHOWN = """\
Fast 9000, 2 cores, Linux x86_64; one thread, pinned to one core
Python 3.11.7, numpy 2.4.6, onnxruntime 1.31.1; NVIDIA H200, driver 570.1
ceiling: 100.0 GFLOP/s (float32 matrix product, one thread), 50000 GFLOP/s (the same on the GPU, without TensorFloat-32)
small: 12,345 parameters, 20.0 million multiply-accumulates a window of 2 s

engine           READY s  memory MB  GPU MB  batch  p50 ms  p99 ms  windows/s  GFLOP/s  of ceiling
onnxruntime-cpu     0.10         40       –      1    4.00    5.00      250.0     10.0      10.0 %
                                                 2    8.00    9.00      250.0     10.0           –
cuda-graph: not used: torch is not installed
onnxruntime-cpu: window of 2 s 4.00 ms = front end 1.00 + network 3.00

hop by hop, beside the whole window of the same model
engine           hop s  batch  p50 ms  p99 ms  whole ms  cheaper
onnxruntime-cpu    0.1      1    0.50    0.60      4.00    8.0 ×
onnxruntime-cpu: a stream begins with a window of 2 s in 4.50 ms (p99 5.50)

live streams on one worker
engine           hop s  computed  carried  failed at  age p50  age p99  fed late p99, ms
onnxruntime-cpu      1     whole        0        200        –        –                 –
onnxruntime-cpu   0.25  in steps      400          –      3.2     21.0               0.5

one recording on onnxruntime-cpu
rest              0.20 ms a point: reading, voice activity, recogniser, schedule, trajectory, publishing
speed             130.0 × real time at 0.25 s hop on 38.26 s of sound with silences (80.0 × if nobody paused)
live              1.0 % of a core, 1.2 % in a quiet room; a device's callback takes 11 µs (p99 41)
start to READY    0.30 s
peak memory       90 MB
words             0.30 of real time while someone speaks, by pocketsphinx; up to 80 ms at once

peers on the same window of 2 s, one thread
opensmile-egemaps not installed; pip install opensmile
wav2vec2-base     300.00 ms (p99 320.00): 75.0 × a window of onnxruntime-cpu, 600.0 × a hop of 0.1 s

GFLOP/s counts 2 × the network's multiply-accumulates; the front end is left out of the count, not of the time.
carried: fed in the same process on the same core; none dropped, p99 of age (complete to answered) below the hop
measured in 61 s
"""


def test_the_lines_a_person_reads() -> None:
    assert show(RESULT) == SHOWN.rstrip()


def test_sections_without_rows_are_left_out() -> None:
    (absent, cost) = RESULT["engines"]
    bare = {**cost, "steps": [], "start": None, "streams": [], "front_end_share": None}
    lines = show({**RESULT, "engines": [absent, bare], "peers": None, "words": None}).splitlines()
    for title in ("hop by hop", "live streams", "peers", "words", "front end 1"):
        assert not any(line.startswith(title) or title in line[:40] for line in lines)


def test_a_model_that_computes_hops_is_shown_beside_one_that_cannot() -> None:
    (absent, cost) = RESULT["engines"]
    bare = {**cost, "steps": [], "start": None, "streams": []}
    lines = show({**RESULT, "engines": [absent, bare], "hop_by_hop": {**cost, "model": "stepping"}}).splitlines()
    assert "onnxruntime-cpu (stepping)    0.1      1    0.50    0.60      4.00    8.0 ×" in lines
