"""A small GPT and its optimizer as pure functions, and how each array is cut over the `tensor` axis.

Attention heads, the MLP's hidden units and the vocabulary are cut (Megatron's way: Shoeybi et al. 2019), so each layer needs two sums over
the tensor axis forward and two back. XLA puts them in from the shardings; gradients are summed over `data` in the same way.
"""

from dataclasses import dataclass
from typing import Any, Dict

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

Arrays = Dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """The defaults make 0.43 M parameters."""

    vocabulary: int
    context: int = 64
    width: int = 128
    heads: int = 4
    layers: int = 2


def partition_specs(shape: Shape) -> Dict[str, PartitionSpec]:
    """Array name -> which of its dimensions lies on which mesh axis."""
    specs = {
        "embedding": PartitionSpec("tensor", None),
        "position": PartitionSpec(),
        "final_norm": PartitionSpec(),
        "head": PartitionSpec(None, "tensor"),
    }
    for layer in range(shape.layers):
        specs |= {
            f"{layer}.attention_norm": PartitionSpec(),
            # Query, key and value in one: their gradients then need one sum over the tensor axis instead of three.
            f"{layer}.wqkv": PartitionSpec(None, None, "tensor"),
            f"{layer}.wo": PartitionSpec("tensor", None),
            f"{layer}.mlp_norm": PartitionSpec(),
            f"{layer}.w1": PartitionSpec(None, "tensor"),
            f"{layer}.w2": PartitionSpec("tensor", None),
        }
    return specs


def initial_parameters(shape: Shape, seed: int) -> Dict[str, np.ndarray]:
    """float32; the same on every process. Matrices (in, out), wqkv (in, 3, out), norms (width,)."""
    random = np.random.default_rng(seed)
    width, hidden = shape.width, 4 * shape.width
    sizes = {
        "embedding": (shape.vocabulary, width),
        "position": (shape.context, width),
        "final_norm": (width,),
        "head": (width, shape.vocabulary),
    }
    for layer in range(shape.layers):
        sizes |= {f"{layer}.wqkv": (width, 3, width), f"{layer}.wo": (width, width)}
        sizes |= {f"{layer}.w1": (width, hidden), f"{layer}.w2": (hidden, width)}
        sizes |= {f"{layer}.attention_norm": (width,), f"{layer}.mlp_norm": (width,)}
    return {
        name: np.ones(size, np.float32) if len(size) == 1 else (random.standard_normal(size) * 0.02).astype(np.float32)
        for name, size in sorted(sizes.items())
    }


def loss_of(parameters: Arrays, batch: jax.Array, shape: Shape) -> jax.Array:
    """Mean cross entropy, nats per character, of a batch (batch, context + 1)."""
    inputs, targets = batch[:, :-1], batch[:, 1:]
    x = parameters["embedding"][inputs] + parameters["position"]
    for layer in range(shape.layers):
        x = x + _attention(parameters, layer, _normalize(x, parameters[f"{layer}.attention_norm"]), shape)
        hidden = jax.nn.gelu(_normalize(x, parameters[f"{layer}.mlp_norm"]) @ parameters[f"{layer}.w1"])
        x = x + hidden @ parameters[f"{layer}.w2"]
    logits = _normalize(x, parameters["final_norm"]) @ parameters["head"]
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)
    return -picked.mean()


def _attention(parameters: Arrays, layer: int, x: jax.Array, shape: Shape) -> jax.Array:
    batch, context, width = x.shape
    head_width = width // shape.heads
    query, key, value = jnp.einsum("bcw,wkh->kbch", x, parameters[f"{layer}.wqkv"]).reshape(3, batch, context, shape.heads, head_width)
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(head_width)
    is_past = jnp.tril(jnp.ones((context, context), bool))
    weights = jax.nn.softmax(jnp.where(is_past, scores, -1e9), axis=-1)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(batch, context, width)
    return mixed @ parameters[f"{layer}.wo"]


def _normalize(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale


def train_step(state: Arrays, batch: jax.Array, step: jax.Array, *, shape: Shape, learning_rate: float) -> "tuple[Arrays, jax.Array]":
    """One AdamW step (Loshchilov and Hutter 2019): state is {'parameters', 'mean', 'variance'}, step counts from 1."""
    loss, gradients = jax.value_and_grad(loss_of)(state["parameters"], batch, shape)
    norm = jnp.sqrt(sum(jnp.sum(gradient * gradient) for gradient in gradients.values()))
    gradients = {name: gradient * jnp.minimum(1.0, 1.0 / (norm + 1e-6)) for name, gradient in gradients.items()}
    rate = learning_rate * jnp.minimum(1.0, step / 20)
    new: Arrays = {"parameters": {}, "mean": {}, "variance": {}}
    for name, gradient in gradients.items():
        mean = 0.9 * state["mean"][name] + 0.1 * gradient
        variance = 0.99 * state["variance"][name] + 0.01 * gradient * gradient
        update = (mean / (1 - 0.9**step)) / (jnp.sqrt(variance / (1 - 0.99**step)) + 1e-8)
        old = state["parameters"][name]
        decay = 0.1 * old if old.ndim > 1 else 0.0
        new["parameters"][name] = old - rate * (update + decay)
        new["mean"][name], new["variance"][name] = mean, variance
    return new, loss
