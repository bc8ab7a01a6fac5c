"""Networks that judge focus, deeper than FocusLiteNN: plain torch, imported only when one is built."""

from focusviewer.focus.networks.catalogue import NETWORKS, NetworkSpec, entries, network_spec

__all__ = ["NETWORKS", "NetworkSpec", "entries", "network_spec"]
