"""Whether a file lies on a network share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NETWORK = ("nfs", "cifs", "smb", "afs", "9p", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "webdav")


def on_network(path: Path) -> bool:
    """Whether ``path`` lies on a file system shared over a network, as far as the system tells.

    ``FOCUSVIEWER_NETWORK_SHARE=1`` says so where the system does not.
    """
    if os.environ.get("FOCUSVIEWER_NETWORK_SHARE") == "1":
        return True
    text = str(path.absolute())
    if sys.platform == "win32":  # pragma: no cover - Windows only
        import ctypes

        return text.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(path.absolute().anchor) == 4
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return False
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        point = parts[1].replace("\\040", " ") if len(parts) > 2 else ""
        inside = text == point or text.startswith(point.rstrip("/") + "/")
        if point and inside and len(point) >= len(best):
            best, kind = point, parts[2]
    return kind.startswith(_NETWORK)
