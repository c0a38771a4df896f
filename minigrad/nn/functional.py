"""The functions behind the layers, under PyTorch's names. Each is defined once, in ``minigrad.ops``."""

from __future__ import annotations

from minigrad.ops.activation import (
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    softshrink,
    threshold,
    threshold_,
)
from minigrad.ops.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    max_unpool1d,
    max_unpool2d,
)
from minigrad.ops.attention import scaled_dot_product_attention
from minigrad.ops.batchnorm import batch_norm
from minigrad.ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from minigrad.ops.dense import bilinear, linear
from minigrad.ops.distance import (
    cosine_embedding_loss,
    cosine_similarity,
    hinge_embedding_loss,
    huber_loss,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    pairwise_distance,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from minigrad.ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, feature_alpha_dropout
from minigrad.ops.embedding import embedding, one_hot
from minigrad.ops.likelihood import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
from minigrad.ops.linear_leading import linear_topk
from minigrad.ops.linear_loss import linear_cross_entropy
from minigrad.ops.loss import cross_entropy, nll_loss
from minigrad.ops.mixture import bivariate_mixture_nll
from minigrad.ops.normalization import (
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)
from minigrad.ops.padding import pad
from minigrad.ops.pooling import avg_pool1d, avg_pool2d, lp_pool1d, lp_pool2d, max_pool1d, max_pool2d
from minigrad.ops.resize import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from minigrad.ops.smooth import (
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    logsigmoid,
    mish,
    selu,
    selu_,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
    tanhshrink,
)
from minigrad.ops.soft_window import soft_window
from minigrad.ops.softmax import gumbel_softmax, log_softmax, softmax, softmin
from minigrad.ops.windows import fold, unfold
