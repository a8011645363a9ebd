"""Runs a small ONNX model."""

import numpy as np
import onnx
import onnxruntime


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        node = onnx.helper.make_node("Mul", ["x", "x"], ["y"])
        spec = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [3]) for n in "xy"]
        model = onnx.helper.make_model(
            onnx.helper.make_graph([node], "g", spec[:1], spec[1:]),
            opset_imports=[onnx.helper.make_opsetid("", 13)],
        )
        model.ir_version = 8
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.context.threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        assert session.run(None, {"x": np.full(3, 3, dtype=np.float32)})[0].tolist() == [9, 9, 9]
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
