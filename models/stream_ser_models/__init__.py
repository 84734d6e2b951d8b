"""The networks and nothing else: front ends, the papers, checkpoints with their cards, ONNX export."""
