"""The networks by name. A recipe and a card say which one they mean with ``architecture``."""

from __future__ import annotations

from typing import Any

from stream_ser_models.area_attention import AreaAttention, AreaAttentionConfig
from stream_ser_models.cnn_bilstm import CNNBiLSTM, CNNBiLSTMConfig
from stream_ser_models.config import Config
from stream_ser_models.cpc_regressor import CPCRegressor, CPCRegressorConfig
from stream_ser_models.frames_area import FramesArea, FramesAreaConfig
from stream_ser_models.frames_bilstm import FramesBiLSTM, FramesBiLSTMConfig
from stream_ser_models.frames_cpc import FramesCPC, FramesCPCConfig
from stream_ser_models.frames_mscnn import FramesMSCNN, FramesMSCNNConfig
from stream_ser_models.frames_tfcnn import FramesTFCNN, FramesTFCNNConfig
from stream_ser_models.frames_voice import FramesVoice, FramesVoiceConfig
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.network import Network
from stream_ser_models.tfcnn import TFCNN, FirstLayer, FirstLayerConfig, TFCNNConfig

ARCHITECTURES: dict[str, tuple[type[Any], type[Network]]] = {
    "tfcnn": (TFCNNConfig, TFCNN),
    "tfcnn_first_layer": (FirstLayerConfig, FirstLayer),
    "area_attention": (AreaAttentionConfig, AreaAttention),
    "cnn_bilstm": (CNNBiLSTMConfig, CNNBiLSTM),
    "mscnn": (MSCNNConfig, MSCNN),
    "cpc": (CPCRegressorConfig, CPCRegressor),
    "frames_tfcnn": (FramesTFCNNConfig, FramesTFCNN),
    "frames_area": (FramesAreaConfig, FramesArea),
    "frames_mscnn": (FramesMSCNNConfig, FramesMSCNN),
    "frames_bilstm": (FramesBiLSTMConfig, FramesBiLSTM),
    "frames_cpc": (FramesCPCConfig, FramesCPC),
    "frames_voice": (FramesVoiceConfig, FramesVoice),
}


def make_config(architecture: str, values: dict[str, Any]) -> Any:
    """The config of a network by name. Raises ValueError for an unknown name, TypeError and ValueError for its values."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture {architecture!r} is unknown, this version has {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture][0].from_dict(values)


def make_network(architecture: str, values: dict[str, Any]) -> Network:
    """An untrained network by name. Raises what ``make_config`` raises."""
    return untrained(architecture, make_config(architecture, values))


def untrained(architecture: str, config: Config) -> Network:
    """An untrained network of a known architecture, for its config."""
    make: Any = ARCHITECTURES[architecture][1]
    network: Network = make(config)
    return network
