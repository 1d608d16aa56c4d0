"""LSTM language models for the Penn Treebank."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder

VOCABULARY = 10_000


def ptb_lstm(name: str, hidden_size: int, time_steps: int = 35) -> Network:
    """Lay out a two-layer LSTM with embeddings as wide as its hidden state.

    Zaremba et al., "Recurrent Neural Network Regularization", arXiv 1409.2329, 2014: 650 hidden
    units (medium) or 1500 (large), a vocabulary of 10,000 words, 35 steps. The embedding is a
    table in memory and holds no crossbars; no softmax behind the last layer.

    Args:
        name: Name of the network.
        hidden_size: Hidden units of both layers.
        time_steps: Words per inference.

    Returns:
        Layers ``rnn.l0``, ``rnn.l1`` and ``decoder``.
    """
    return (
        NetworkBuilder(name)
        .add(Layer.lstm("rnn.l0", hidden_size, hidden_size, time_steps))
        .add(Layer.lstm("rnn.l1", hidden_size, hidden_size, time_steps))
        .add(Layer.linear("decoder", hidden_size, VOCABULARY, time_steps))
        .build()
    )
