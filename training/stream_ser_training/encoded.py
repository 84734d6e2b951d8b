"""Frames as the live system sees them: the encoder's 8-bit file in ONNX Runtime, one window at a time, averaged in groups.

Heads are trained and measured on these, not on what torch computes from the same weights: they differ by some per cent.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from stream_ser_models.encoders import ONNX, encoder_file, find_encoder, read_encoder
from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.network import Network
from stream_ser_models.whisper import WhisperConfig, pooled


class EncodedFrames(nn.Module):
    """Waveform (B, 32000) to averaged frames (B, steps, D), on one thread."""

    def __init__(self, config: FrameHeadConfig) -> None:
        """Open the encoder's file. Raises CheckpointError when it is missing or corrupt."""
        super().__init__()
        facts = read_encoder(find_encoder(config.frontend.encoder))
        self.config = (config.frontend, config.pool, facts.files[ONNX])  # what staged features are known by
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = encoder_file(find_encoder(config.frontend.encoder), facts, ONNX)
        self.left = config.pool // facts.pool  # of the averaging, which the file has done otherwise
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def forward(self, waveform: Tensor) -> Tensor:
        """Averaged frames; the file takes one window, because its scales would else depend on the neighbours."""
        windows = waveform.numpy()
        frames = [self.session.run(None, {self.name: windows[i : i + 1]})[0] for i in range(len(windows))]
        return pooled(torch.from_numpy(np.concatenate(frames)), self.left)


def has_file(config: FrameHeadConfig) -> bool:
    """Whether the encoder's ONNX file computes what this config says: all its layers, averages that divide, else defaults."""
    name = config.frontend.encoder
    facts = read_encoder(find_encoder(name))
    same = config.frontend == WhisperConfig(encoder=name, layers=facts.layers)
    return ONNX in facts.files and same and config.pool % facts.pool == 0


def frontend_of(network: Network) -> nn.Module:
    """What turns sound into a network's features for training and figures: its own front end, or the encoder's file."""
    if isinstance(network, FrameHead) and has_file(network.config):
        return EncodedFrames(network.config)
    return network.frontend
