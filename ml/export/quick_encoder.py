"""Writes the image encoder as a graph made for processors: few passes over memory, fused attention, int8 products.

What `sam2` computes and torch's exporter writes down step by step is laid out anew here, node by node:

- Tokens stay in the order of the attention's windows for a whole stage, since all but attention treats each token by
  itself and attention over everything does not mind the order; `sam2` partitions and puts together in every block.
  Within a window the four tokens that a later pooling merges lie a quarter of the window apart.
- Padding of windows (tiny, small: 64 tokens in windows of 14) is added after the projections, as one known row.
- Attention is one fused operation; positions are worked out when the file is opened.
- With `int8`, products with weights are taken in 8 bits, weights by output channel (symmetric), activations by tensor
  (asymmetric), either as measured on each picture or by ranges from calibration; so are both products of attention
  over the whole picture. Layer-norm, softmax, GELU, the patch embedding and the neck stay in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from ml.export.graphs import ImageEncoder
from ml.models.sessions import ENCODER_INPUTS, FEATURES

MICROSOFT = "com.microsoft"
OPSET = 20
LONG = 1024  # tokens from which attention in 8 bits pays
ROWS = 128  # of queries at a time
Array = npt.NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]  # of activations by name: least and most


Layout = npt.NDArray[np.int64]  # (windows, tokens of a window): the token at each place, by its number in the square


def write_quick_encoder(model: Any, path: Path, *, int8: bool = False, ranges: Ranges | None = None) -> None:
    """The encoder of a SAM2Base; in 8 bits by `ranges` where they are given, else as measured on each picture."""
    path.write_bytes(build(model, Graph(int8, ranges)).SerializeToString())


def write_observed(model: Any, path: Path) -> tuple[str, ...]:
    """The float32 encoder with, after its own outputs, every activation that `ranges` are needed of; their keys."""
    graph = Graph()
    proto = build(model, graph)
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in graph.observed.values())
    path.write_bytes(proto.SerializeToString())
    return tuple(graph.observed)


def build(model: Any, graph: "Graph") -> Any:
    """The whole graph as an ONNX model."""
    encoder = ImageEncoder(model)
    stages = _trunk(graph, encoder.trunk)
    _neck(graph, encoder, stages)
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ENCODER_INPUTS["image"])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in FEATURES.items()]
    body = helper.make_graph(graph.nodes, "quick_encoder", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=9, producer_name="edgewise")


@dataclass
class Graph:
    """A graph that grows; what is asked for is named by its output."""

    int8: bool = False
    ranges: Ranges | None = None
    prefix: str = ""
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    observed: dict[str, str] = field(default_factory=dict)
    quantized: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **said: Any) -> list[str]:
        """One operation; the names of its outputs."""
        names = [f"{self.prefix}{kind}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **said))
        return names

    def one(self, kind: str, *inputs: str, **said: Any) -> str:
        """One operation with one output."""
        return self.add(kind, *inputs, **said)[0]

    def keep(self, value: Any, kind: Any = np.float32) -> str:
        """A constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind, order="C"), name))
        return name

    def linear(self, x: str, layer: tuple[Array, Array], key: str = "") -> str:
        """`x @ weight.T + bias` of (N, C) tokens; with a key in 8 bits, where that was asked for."""
        weight, bias = layer
        if key:
            self.observed.setdefault(key, x)
        if not (key and self.int8):
            return self.one("Gemm", x, self.keep(weight.T), self.keep(bias))
        values, step, zero = self._quantized(x, key)
        steps = np.maximum(np.abs(weight).max(axis=1), 1e-12) / 127
        whole = np.clip(np.rint(weight / steps[:, None]), -127, 127)
        zeros = self.keep(np.zeros(len(steps)), np.int8)
        weights = self.keep(whole.T, np.int8), step, self.keep(steps), zero, zeros, self.keep(bias)
        return self.one("MatMulIntegerToFloat", values, *weights, domain=MICROSOFT)

    def gather(self, x: str, order: Array) -> str:
        """The rows of `x` in an order."""
        return self.one("Gather", x, self.keep(order.ravel(), np.int64), axis=0)

    def reshape(self, x: str, *shape: int) -> str:
        """`x` in another shape."""
        return self.one("Reshape", x, self.keep(shape, np.int64))

    def norm(self, x: str, layer: Any) -> str:
        """Layer-norm over the channels."""
        return self.one("LayerNormalization", x, *self._norm(layer), axis=-1, epsilon=layer.eps)

    def add_and_norm(self, x: str, other: str, layer: Any) -> tuple[str, str]:
        """The layer-norm of a sum, and the sum."""
        total = self.one("Add", x, other)  # the runtime's fused operation takes twice as long as these two
        return self.norm(total, layer), total

    def _norm(self, layer: Any) -> tuple[str, str]:
        return self.keep(_array(layer.weight)), self.keep(_array(layer.bias))

    def _quantized(self, x: str, key: str) -> tuple[str, str, str]:
        """8 bits, step and zero of an activation; made once for all that use it."""
        if x not in self.quantized:
            if self.ranges is None:
                values, step, zero = self.add("DynamicQuantizeLinear", x, outputs=3)
            else:
                low, high = min(self.ranges[key][0], 0.0), max(self.ranges[key][1], 1e-6)
                width = (high - low) / 255
                step, zero = self.keep(width), self.keep(round(-low / width), np.uint8)
                values = self.one("QuantizeLinear", x, step, zero)
            self.quantized[x] = values, step, zero
        return self.quantized[x]


def window_layout(side: int, window: int) -> Layout:
    """The windows of a square of `side` tokens, -1 for padding.

    The tokens that a pooling of 2 x 2 merges lie in the four quarters of a window, and so on in each quarter.
    """
    across = -(-side // window)
    padded = np.full((across * window, across * window), -1, np.int64)
    padded[:side, :side] = np.arange(side * side).reshape(side, side)
    inside = padded.reshape(across, window, across, window).transpose(0, 2, 1, 3)
    return _quartered(inside.reshape(-1, window, window))


def _quartered(squares: Array) -> Array:
    if squares.shape[1] % 2:
        return squares.reshape(len(squares), -1)
    return np.concatenate([_quartered(squares[:, down::2, right::2]) for down in (0, 1) for right in (0, 1)], axis=1)


def _trunk(graph: Graph, trunk: Any) -> list[str]:
    """Hiera; the tokens (side * side, C) at the end of each stage, row by row as in the picture."""
    side = 256
    home = window_layout(side, trunk.window_spec[0])
    tokens = _patches(graph, trunk, home)
    waiting = ""  # what is still to be added to the tokens
    found = []
    for number, block in enumerate(trunk.blocks):
        wanted = window_layout(side, block.window_size) if block.window_size else home
        pools = block.q_stride is not None
        if pools and home.shape[1] % 4:
            wanted = window_layout(side, 2) if not block.window_size else wanted
        if not (wanted < 0).any() and not np.array_equal(wanted, home):
            tokens, waiting = _sum(graph, tokens, waiting), ""
            tokens, home = graph.gather(tokens, _places(home)[wanted]), wanted
        if waiting:
            normed, tokens = graph.add_and_norm(tokens, waiting, block.norm1)
        else:
            normed = graph.norm(tokens, block.norm1)
        where = wanted if block.window_size else home.reshape(1, -1)
        attended = _attention(graph, block, normed, (home, where), f"block{number}")
        if pools:
            shortcut = graph.linear(normed, _layer(block.proj), f"block{number}.in")
            tokens = _pooled(graph, shortcut, home)
            side, home = side // 2, _pooled_layout(home, side)
        normed, tokens = graph.add_and_norm(tokens, attended, block.norm2)
        hidden = graph.linear(normed, _layer(block.mlp.layers[0]), f"block{number}.mlp")
        waiting = graph.linear(graph.one("Gelu", hidden), _layer(block.mlp.layers[1]), f"block{number}.mlp2")
        if number in trunk.stage_ends:
            tokens, waiting = _sum(graph, tokens, waiting), ""
            found.append(graph.gather(tokens, _places(home)))
    return found


def _patches(graph: Graph, trunk: Any, home: Layout) -> str:
    """The picture's patches with their positions, in the order of `home`."""
    conv = trunk.patch_embed.proj
    weights = graph.keep(_array(conv.weight)), graph.keep(_array(conv.bias))
    pads = [*conv.padding, *conv.padding]
    seen = graph.one("Conv", "image", *weights, strides=list(conv.stride), pads=pads)
    size = graph.keep([1, conv.out_channels, 256, 256], np.int64)
    far = graph.one(
        "Resize", graph.keep(_array(trunk.pos_embed)), "", "", size,
        mode="cubic", cubic_coeff_a=-0.75, coordinate_transformation_mode="pytorch_half_pixel",
    )  # fmt: skip
    near = _array(trunk.pos_embed_window)
    times = [1, 1, 256 // near.shape[2], 256 // near.shape[3]]
    places = graph.one("Add", far, graph.one("Tile", graph.keep(near), graph.keep(times, np.int64)))
    rows = [
        graph.reshape(graph.one("Transpose", x, perm=[0, 2, 3, 1]), 256 * 256, conv.out_channels)
        for x in (seen, places)
    ]
    return graph.one("Add", *(graph.gather(x, home) for x in rows))


def _attention(graph: Graph, block: Any, normed: str, layouts: tuple[Layout, Layout], key: str) -> str:
    """The projected answer of a block's attention, pooled where the block pools.

    `layouts` are where the tokens lie, before and after, and where attention wants them.
    """
    home, where = layouts
    weight, bias = _layer(block.attn.qkv)
    width = len(bias) // 3
    parts = [(weight[i * width : (i + 1) * width], bias[i * width : (i + 1) * width]) for i in range(3)]
    query, keys, values = (graph.linear(normed, part, f"{key}.in") for part in parts)
    padded = (where < 0).any()
    if padded:
        places = np.where(where < 0, home.size, _places(home)[where])
        query, keys, values = (
            graph.gather(graph.one("Concat", x, graph.keep(part[1][None]), axis=0), places)
            for x, part in zip((query, keys, values), parts, strict=True)
        )
    windows, many = where.shape
    asked = many
    if block.q_stride is not None:
        query = _pooled(graph, query, where if padded or block.window_size else home)
        asked = many // 4
    heads = block.attn.num_heads
    if graph.int8 and windows == 1 and min(asked, many) >= LONG:
        answer = attend_in_8_bits(graph, (query, keys, values), (asked, many), heads, width // heads)
    else:
        three = (
            graph.reshape(query, windows, asked, width),
            *(graph.reshape(x, windows, many, width) for x in (keys, values)),
        )
        whole = graph.one("MultiHeadAttention", *three, domain=MICROSOFT, num_heads=heads)
        answer = graph.reshape(whole, windows * asked, width)
    if padded:
        side = round(home.size**0.5)
        pools = block.q_stride is not None
        at = _pooled_layout(where, side) if pools else where
        answer = graph.gather(answer, _places(at)[_pooled_layout(home, side) if pools else home])
    return graph.linear(answer, _layer(block.attn.proj), f"{key}.out")


def attend_in_8_bits(graph: Graph, three: tuple[str, str, str], many: tuple[int, int], heads: int, depth: int) -> str:
    """Attention of (asked, C) queries over (given, C) keys and values, both products in 8 bits, softmax in float32.

    `many` is (asked, given). Some rows at a time, so that their weights stay in the cache. A row's weights are
    exp(score - the row's largest), which fill 8 bits well whether the row looks at one token or at all; their sum
    divides at the end.
    """
    asked, given = many
    query, query_step, query_zero = graph.add("DynamicQuantizeLinear", three[0], outputs=3)
    query_step = graph.one("Mul", query_step, graph.keep(depth**-0.5))
    (keys, keys_step), (values, values_step) = (_signed(graph, x) for x in three[1:])
    zero, at = graph.keep(0, np.int8), graph.keep([2], np.int64)
    step, none = graph.keep(1 / 255), graph.keep(0, np.uint8)
    parts = graph.reshape(query, asked // ROWS, ROWS, heads, depth)
    parts = graph.one("Transpose", parts, perm=[0, 2, 1, 3])
    keys = graph.one("Transpose", graph.reshape(keys, given, heads, depth), perm=[1, 2, 0])
    values = graph.one("Transpose", graph.reshape(values, given, heads, depth), perm=[1, 0, 2])
    body = Graph(prefix=f"{keys}_")
    product = {"domain": MICROSOFT}
    scores = body.one("MatMulIntegerToFloat", "rows", keys, query_step, keys_step, query_zero, zero, **product)
    weights = body.one("Exp", body.one("Sub", scores, body.one("ReduceMax", scores, at)))
    summed = body.one("ReduceSum", weights, at)
    whole = body.one("QuantizeLinear", weights, step, none)
    mixed = body.one("MatMulIntegerToFloat", whole, values, step, values_step, none, zero, **product)
    turned = body.one("Transpose", body.one("Div", mixed, summed), perm=[1, 0, 2])
    inputs = [helper.make_tensor_value_info("rows", TensorProto.UINT8, [heads, ROWS, depth])]
    outputs = [helper.make_tensor_value_info(turned, TensorProto.FLOAT, [ROWS, heads, depth])]
    each = helper.make_graph(body.nodes, "some_rows", inputs, outputs)
    return graph.reshape(graph.one("Scan", parts, body=each, num_scan_inputs=1), asked, heads * depth)


def _signed(graph: Graph, x: str) -> tuple[str, str]:
    """`x` in signed 8 bits, and its step: products with those on the right take half the time of unsigned ones."""
    largest = graph.one("ReduceMax", graph.one("Abs", x), keepdims=0)
    step = graph.one("Mul", graph.one("Max", largest, graph.keep(1e-12)), graph.keep(1 / 127))
    return graph.one("QuantizeLinear", x, step, graph.keep(0, np.int8)), step


def _pooled(graph: Graph, x: str, layout: Layout) -> str:
    """The largest of the four quarters of each window."""
    windows, many = layout.shape
    whole = graph.reshape(x, windows, 4, many // 4, -1)
    quarters = graph.add("Split", whole, outputs=4, axis=1, num_outputs=4)
    width = graph.keep([windows * (many // 4), -1], np.int64)
    return graph.one("Reshape", graph.one("Max", *quarters), width)


def _pooled_layout(layout: Layout, side: int) -> Layout:
    """Where the pooled tokens lie, by their numbers in the square of half the side."""
    first = layout[:, : layout.shape[1] // 4]
    return np.where(first < 0, -1, first // side // 2 * (side // 2) + first % side // 2)


def _neck(graph: Graph, encoder: Any, stages: list[str]) -> None:
    """The three features, row by row, channels first."""
    coarsest = graph.linear(stages[3], _layer(encoder.coarsest))
    doubled = np.arange(64) // 2
    above = graph.gather(coarsest, doubled[:, None] * 32 + doubled[None])
    weight, bias = _layer(encoder.coarse)
    coarse = graph.linear(stages[2], (weight, bias + _array(encoder.no_memory).ravel()))
    rows = (
        graph.one("Add", coarse, above),
        *(
            graph.linear(stage, _layer(conv))
            for stage, conv in ((stages[0], encoder.fine), (stages[1], encoder.middle))
        ),
    )
    for x, (name, shape) in zip(rows, FEATURES.items(), strict=True):
        turned = graph.one("Transpose", x, perm=[1, 0])
        graph.nodes.append(helper.make_node("Reshape", [turned, graph.keep(shape, np.int64)], [name]))


def _sum(graph: Graph, x: str, other: str) -> str:
    return graph.one("Add", x, other) if other else x


def _places(layout: Layout) -> Array:
    """Where each token lies, by its number in the square."""
    flat = layout.ravel()
    found = np.empty(int(flat.max()) + 1, np.int64)
    found[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    return found


def _layer(module: Any) -> tuple[Array, Array]:
    """Weight (out, in) and bias of a linear layer or a 1 x 1 convolution."""
    weight = _array(module.weight)
    return weight.reshape(len(weight), -1), _array(module.bias)


def _array(tensor: Any) -> Array:
    found: Array = tensor.detach().float().numpy()
    return found
