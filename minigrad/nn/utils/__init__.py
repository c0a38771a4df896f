"""Tools for gradients, parameters and sequences."""

from minigrad.nn.utils import rnn
from minigrad.nn.utils.clip import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from minigrad.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights
from minigrad.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from minigrad.nn.utils.vector import parameters_to_vector, vector_to_parameters
from minigrad.ops.step_weights import Stepping

__all__ = [
    "Stepping",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "remove_spectral_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
]
