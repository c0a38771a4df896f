"""Layers that hold parameters, containers of layers, losses, and the functions behind them."""

from minigrad.nn import functional, init, utils
from minigrad.nn.activation import *
from minigrad.nn.attention import *
from minigrad.nn.containers import *
from minigrad.nn.conv import *
from minigrad.nn.distance import *
from minigrad.nn.dropout import *
from minigrad.nn.embedding import *
from minigrad.nn.linear import *
from minigrad.nn.loss import *
from minigrad.nn.module import Module
from minigrad.nn.normalization import *
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.parameter_containers import *
from minigrad.nn.pooling import *
from minigrad.nn.recurrent import *
from minigrad.nn.recurrent_cells import *
from minigrad.nn.resize import *
