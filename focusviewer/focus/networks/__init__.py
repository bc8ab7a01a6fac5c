"""Networks that score focus, deeper than FocusLiteNN: plain torch, imported only when one is built."""

from focusviewer.focus.networks.catalogue import NETWORKS, entries, network_spec
from focusviewer.focus.networks.spec import NetworkSpec

__all__ = ["NETWORKS", "NetworkSpec", "entries", "network_spec"]
