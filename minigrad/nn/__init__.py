"""Layers that hold parameters, containers of layers, losses, and the functions behind them."""

from minigrad.nn import functional, init
from minigrad.nn.activation import *
from minigrad.nn.containers import *
from minigrad.nn.conv import *
from minigrad.nn.dropout import *
from minigrad.nn.linear import *
from minigrad.nn.loss import *
from minigrad.nn.module import Module
from minigrad.nn.normalization import *
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.pooling import *
