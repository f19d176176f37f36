"""Which file systems are a network's: SQLite loses data there."""

from __future__ import annotations

from pathlib import Path

import psutil

NETWORK = {
    *("nfs", "nfs4", "cifs", "smbfs", "smb2", "smb3", "afpfs", "afs", "9p", "ceph", "glusterfs"),
    *("lustre", "gpfs", "beegfs", "pvfs2", "orangefs", "panfs", "wekafs"),
}
LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.ntfs-3g", "fuse.exfat"}  # any other may be a network's


def find_network(path: Path) -> str | None:
    """The type of the file system that a path is on, behind its links, where it may be a network's; else None."""
    system = _name_type(path.resolve())
    return system if system in NETWORK or (system.split(".")[0] == "fuse" and system not in LOCAL_FUSE) else None


def _name_type(path: Path) -> str:
    """The type of the file system that a path without links is on; empty where that cannot be seen."""
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda part: len(part.mountpoint))
    return next((part.fstype for part in reversed(mounts) if path.is_relative_to(part.mountpoint)), "")
