#!/bin/sh
# A model that onnxruntime.quantization.quantize_dynamic has made judges each row of a batch by what the other rows are. The
# scale of the 8-bit inputs is found anew at each run (DynamicQuantizeLinear), over the whole tensor and not a row at a time,
# whatever per_channel says, which is about weights alone. So a server that gathers the windows of several callers into one
# batch lets the loudest of them set the steps for all: beside one that is 100 times as loud a quiet window is rounded to next
# to nothing, and its result is anything. Nothing warns, the results have the right shape, and with one caller, as in a test,
# they are right to a percent. The same model in float gives each row the same bits in any batch. Way out: one window a run, or a
# level that all windows are brought to before, or static scales.
# Needs python3 (3.11 or newer). Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
numbers = np.random.default_rng(1)
inner, outer = ((numbers.standard_normal(shape) / 20).astype(np.float32) for shape in ((384, 384), (384, 4)))
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["windows", "inner"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["open"]),
        helper.make_node("MatMul", ["open", "outer"], ["logits"]),
    ],
    "classifier",
    [helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["batch", 384])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
    [numpy_helper.from_array(inner, "inner"), numpy_helper.from_array(outer, "outer")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, "float.onnx")
quantize_dynamic("float.onnx", "int8.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)

quiet = numbers.standard_normal((1, 384)).astype(np.float32)
alike = numbers.standard_normal((1, 384)).astype(np.float32)
loud = 100 * alike


def first(path, *rows):
    """What the model says of the first of these rows."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"windows": np.concatenate(rows)})[0][0]


exact = first("float.onnx", quiet)
same = all(np.array_equal(exact, first("float.onnx", quiet, other)) for other in (alike, loud))
errors = {}
for name, others in (("alone", ()), ("beside one as loud", (alike,)), ("beside one 40 dB louder", (loud,))):
    errors[name] = np.linalg.norm(first("int8.onnx", quiet, *others) - exact) / np.linalg.norm(exact)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
print("float: the first row has the same bits in any batch:", same)
for name, error in errors.items():
    print(f"8 bits, the first row {name}: off by {100 * error:.1f} % of its length")
sys.exit(0 if same and errors["alone"] < 0.05 and errors["beside one 40 dB louder"] > 0.5 else 1)
PYTHON
