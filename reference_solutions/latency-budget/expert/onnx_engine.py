"""The fastest engine on a CPU: an ONNX graph of fused int8 operators, written by hand, run by ONNX Runtime.

Writing the graph takes a second where exporting it takes twenty, and it can hold what an exporter never
emits: operators with dynamic int8 inputs in one step, and a last layer that computes the first token only,
since the classifier looks at no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fused import Array, Half, Shape, has_int8_products, quantised
from numpy.typing import NDArray

MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators


def available() -> bool:
    """Whether ONNX Runtime, and onnx to write the graph, are installed."""
    from importlib.util import find_spec

    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


class _Graph:
    """Collects nodes and constants; each method adds one operation and returns its output's name."""

    def __init__(self, shape: Shape, weights: dict[str, Array], precise: bool) -> None:
        self.shape = shape
        self.weights = weights
        self.precise = precise
        self.width = weights["positions"].shape[1]
        self.bits = 8 if has_int8_products() else 7  # two 8-bit products would overflow 16 bits
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def dense(self, x: str, name: str, columns: slice = slice(None), biased: bool = True) -> str:
        """x @ weight + bias; in int8, x is quantised on the way, with one scale for the whole tensor."""
        key = f"{name}.{columns.start or 0}"
        if self.precise:
            # Stored in half precision; ONNX Runtime widens constants once, when it reads the graph.
            weight = self.constant(key, self.weights[f"{name}.weight"][:, columns].astype(np.float16))
            x = self.add("MatMul", [x, self.add("Cast", [weight], to=1)])
            if not biased:
                return x
            return self.add("Add", [x, self.constant(f"{key}.bias", self.weights[f"{name}.bias"][columns])])
        if f"{name}.factor" in self.weights:
            x = self.add("Mul", [x, self.constant(f"{name}.factor", self.weights[f"{name}.factor"])])
        weight, scale = quantised(self.weights[f"{name}.weight"][:, columns], self.bits)
        inputs = [
            x,
            self.constant(f"{key}.q", weight),
            self.constant(f"{key}.scale", scale),
            self.constant("zero.columns." + str(len(scale)), np.zeros(len(scale), dtype=np.int8)),
        ]
        if biased:
            inputs.append(self.constant(f"{key}.bias", self.weights[f"{name}.bias"][columns]))
        return self.add("DynamicQuantizeMatMul", inputs, MICROSOFT)

    def normed(self, x: str, residual: str, layer: str, number: int) -> str:
        """The layer norm of x + residual, with x's missing bias added on the way."""
        name = f"{number}.norm{1 if layer == 'mix' else 2}"
        inputs = [
            x,
            residual,
            self.constant(f"{name}.gain", self.weights[f"{name}.gain"]),
            self.constant(f"{name}.shift", self.weights[f"{name}.shift"]),
            self.constant(f"{number}.{layer}.bias", self.weights[f"{number}.{layer}.bias"]),
        ]
        return self.add("SkipLayerNormalization", inputs, MICROSOFT, epsilon=self.shape.epsilon)

    def embedded(self) -> str:
        """The words' vectors, which come as an input, with positions 0, 1, ... added, and normed."""
        words = self.add("Cast", ["words"], to=1)
        length = self.add("Shape", ["words"], start=1, end=2)
        table = self.constant("positions", self.weights["positions"])
        positions = self.add("Slice", [table, self.constant("zero", np.array([0])), length])
        total = self.add("Add", [words, positions])
        gain = self.constant("norm.gain", self.weights["norm.gain"])
        shift = self.constant("norm.shift", self.weights["norm.shift"])
        return self.add("LayerNormalization", [total, gain, shift], axis=-1, epsilon=self.shape.epsilon)

    def attended(self, x: str, number: int, first_only: bool) -> str:
        """Multi-head attention; for the first token only, when nothing else is looked at afterwards."""
        width, name = self.width, f"{number}.qkv"
        source = self.first_token(x) if first_only else x
        if first_only:
            query = self.dense(source, name, slice(0, width))
            both = self.dense(x, name, slice(width, 3 * width))
            halves = self.constant("halves", np.array([width, width]))
            parts = [query, *self.split(both, halves, 2)]
        else:
            thirds = self.constant("thirds", np.array([width, width, width]))
            parts = self.split(self.dense(x, name), thirds, 3)
        inputs = [*parts, "", "present"]
        return self.add("MultiHeadAttention", inputs, MICROSOFT, num_heads=self.shape.heads, scale=1.0)

    def split(self, x: str, sizes: str, count: int) -> list[str]:
        from onnx import helper

        outputs = [f"t{len(self.nodes)}.{part}" for part in range(count)]
        self.nodes.append(helper.make_node("Split", [x, sizes], outputs, axis=2))
        return outputs

    def first_token(self, x: str) -> str:
        return self.add(
            "Slice",
            [
                x,
                self.constant("zero", np.array([0])),
                self.constant("one", np.array([1])),
                self.constant("one", np.array([1])),
            ],
        )

    def layer(self, x: str, number: int) -> str:
        """One transformer layer; the last one follows the first token alone."""
        last = number == self.shape.layers - 1
        mixed = self.dense(self.attended(x, number, last), f"{number}.mix", biased=False)
        x = self.normed(mixed, self.first_token(x) if last else x, "mix", number)
        up = self.add("Gelu", [self.dense(x, f"{number}.up")], MICROSOFT)
        return self.normed(self.dense(up, f"{number}.down", biased=False), x, "down", number)

    def classified(self, x: str) -> str:
        """Pooler and classifier, in fp32: they cost nothing, and a class hangs on their last digit."""
        x = self.add("Squeeze", [x, self.constant("one", np.array([1]))])
        for name in ("pool", "head"):
            weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
            x = self.add("Gemm", [x, weight, self.constant(f"{name}.bias", self.weights[f"{name}.bias"])])
            x = self.add("Tanh", [x]) if name == "pool" else x
        return x


def build(shape: Shape, weights: dict[str, Array], precise: bool = False) -> bytes:
    """The layers and the head in int8, or `precise` in fp32, as a serialised ONNX graph.

    words float16[b, t, width], present int32[b, t] -> logits float32[b, classes]
    """
    from onnx import TensorProto, helper

    graph = _Graph(shape, weights, precise)
    x = graph.embedded()
    for number in range(shape.layers):
        x = graph.layer(x, number)
    logits = graph.classified(x)
    inputs = [
        helper.make_tensor_value_info("words", TensorProto.FLOAT16, ["b", "t", graph.width]),
        helper.make_tensor_value_info("present", TensorProto.INT32, ["b", "t"]),
    ]
    outputs = [helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["b", "classes"])]
    made = helper.make_graph(graph.nodes, "classifier", inputs, outputs, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()


class OnnxEngine:
    """Runs a graph made by `build`, over a table of words' vectors that engines share."""

    bucket = 8

    def __init__(self, graph: bytes, words: Half, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.words = words
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def logits(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Array:
        """float32[b, classes] for padded token ids int64[b, t] whose rows hold `lengths` tokens."""
        present = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int32)
        return self.session.run(None, {"words": self.words[ids], "present": present})[0]
