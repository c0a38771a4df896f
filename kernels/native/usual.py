"""What a training usually needs: kernels in the order in which a first step asks for them.

Companions compile by this table (``companion.py``). A kernel too many costs a second of a core that would be idle; one that is
absent is made when it is asked for. Which convolution suits a processor, its sizes decide: here are the kernels of each.
"""

from __future__ import annotations

from minigrad.kernels.native.ahead import Job

_KERNELS = {
    "images": """
        rearranging:transpose native.pool:serve native.pool:divide conv2d.loops:pack tile conv2d.loops:correlate
        conv2d.winograd4_loops:TRANSFORM_WEIGHT[3] conv2d.winograd4_loops:CORRELATE[3] pool2d.loops:greatest
        product_loops:multiply softmax.loops:cross_entropy softmax.loops:cross_entropy_back
        activation.loops:BACKWARD['relu'] sums.cpu:add_columns pool2d.loops:scatter conv2d.winograd4_loops:WEIGH[3]
        conv2d.winograd4_loops:GATHER[3] conv2d.weight_loops:weigh conv2d.weight_loops:gather update.loops:momentum_step
    """,
    "images by a residual network": """
        rearranging:transpose native.pool:serve native.pool:divide conv2d.loops:pack tile conv2d.loops:correlate
        norm.passes:moments norm.passes:merge norm.passes:normalize conv2d.winograd4_loops:TRANSFORM_WEIGHT[3]
        conv2d.winograd4_loops:CORRELATE[3] conv2d.loops:correlate_small sums.cpu:add_columns softmax.loops:cross_entropy
        softmax.loops:cross_entropy_back norm.backward:products norm.backward:write_gradient conv2d.winograd4_loops:WEIGH[3]
        conv2d.winograd4_loops:GATHER[3] elementwise.cpu:sums conv2d.weight_loops:weigh_small conv2d.weight_loops:gather
        conv2d.weight_loops:weigh update.loops:momentum_step
    """,
    "images that are made": """
        conv2d.loops:pack native.pool:serve native.pool:divide tile conv2d.loops:correlate_small norm.passes:moments
        norm.passes:merge norm.passes:normalize conv2d.winograd4_loops:TRANSFORM_WEIGHT[2]
        conv2d.winograd4_loops:CORRELATE[2] conv2d.loops:correlate activation.loops:FORWARD['tanh'] rearranging:transpose
        activation.loops:FORWARD['leaky_relu'] activation.loops:FORWARD['sigmoid'] conv2d.weight_loops:weigh_small
        conv2d.weight_loops:gather activation.loops:BACKWARD['leaky_relu'] norm.backward:products
        norm.backward:write_gradient conv2d.winograd4_loops:WEIGH[2] conv2d.winograd4_loops:GATHER[2]
        conv2d.weight_loops:weigh elementwise.cpu:increase update.loops:adam_step activation.loops:BACKWARD['tanh']
    """,
    "characters": """
        embedding.cpu:copy native.pool:serve native.pool:divide tile product_loops:multiply packing:pack lstm.loops:forward
        softmax.loops:cross_entropy softmax.loops:cross_entropy_back sums.cpu:add_columns lstm.loops:backward
        recurrent_loops:weigh embedding.cpu:add update.loops:squares update.loops:adam_step
    """,
    "translation": """
        embedding.cpu:copy native.pool:serve native.pool:divide packing:pack tile lstm.loops:forward product_loops:multiply
        softmax.loops:softmax activation.loops:FORWARD['tanh'] softmax.loops:cross_entropy softmax.loops:cross_entropy_back
        sums.cpu:add_columns activation.loops:BACKWARD['tanh'] softmax.loops:softmax_back lstm.loops:backward
        recurrent_loops:weigh embedding.cpu:add update.loops:adam_step
    """,
    "photos with boxes": """
        rearranging:transpose native.pool:serve native.pool:divide conv2d.loops:pack tile conv2d.loops:correlate
        norm.passes:moments norm.passes:merge norm.passes:normalize conv2d.winograd4_loops:TRANSFORM_WEIGHT[3]
        conv2d.winograd4_loops:CORRELATE[3] conv2d.loops:correlate_small elementwise.cpu:sums
        activation.loops:FORWARD['relu'] boxes.loops:overlaps boxes.loops:suppress boxes.loops:align product_loops:multiply
        softmax.loops:cross_entropy sums.cpu:add_rows activation.loops:FORWARD['sigmoid'] conv2d.weight_loops:weigh
        conv2d.weight_loops:gather sums.cpu:add_columns activation.loops:BACKWARD['relu'] conv2d.winograd4_loops:WEIGH[3]
        conv2d.winograd4_loops:GATHER[3] boxes.loops:spread activation.loops:gate softmax.loops:cross_entropy_back
        conv2d.weight_loops:weigh_small elementwise.cpu:increase norm.backward:products norm.backward:write_gradient
        update.loops:momentum_step
    """,
}
_PLAIN = ("native.pool:serve", "native.pool:divide", "norm.passes:merge", "boxes.loops:suppress")  # of any dtype


def _job(word: str) -> Job:
    module, _, name = word.rpartition(":")
    dtype = None if word in _PLAIN else "float32"
    return Job(f"minigrad.kernels.{module}" if module else "", name, dtype)


USUAL = {kind: [_job(word) for word in words.split()] for kind, words in _KERNELS.items()}
"""Kind of training -> the kernels."""
