"""What a decoding child must not be able to do: read the memory and the environment of the process that holds keys.

Same-user processes may read each other's ``/proc/PID/environ`` and memory. The parent makes itself undumpable, which
shuts both to every process without the capability for tracing, and the child gives that capability up for good. This
protects the keys from a file that takes a decoder over; it does not keep the child from files that the user may read,
nor from the network.
"""

import ctypes

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
# Tracing, administration and performance monitoring: each of them opens another process's memory to reading.
_READS_OTHERS = (19, 21, 38)
_CAPABILITY_VERSION = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def shut_to_children() -> None:
    """Let no process without the capability for tracing read this one; crashes then leave no core file."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_up_tracing() -> None:
    """Give up for good what lets root read other processes; nothing to give up for other users."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in _READS_OTHERS:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted, inheritable of the low 32 capabilities, then of the high.
    held = (ctypes.c_uint32 * 6)()
    if _libc.capget(header, held) != 0:
        return
    for capability in _READS_OTHERS:
        word, bit = divmod(capability, 32)
        for place in range(3):
            held[3 * word + place] &= ~(1 << bit) & 0xFFFFFFFF
    _libc.capset(header, held)
