"""A wire between network namespaces that takes its time and loses frames: relay.py DELAY_MS LOSS NAMESPACE...

Each namespace gets a device d0; what one sends, all others get, DELAY_MS later, but for a part LOSS. Where a kernel has no netem.
"""
import ctypes, fcntl, heapq, os, random, select, struct, sys, time

CLONE_NEWNET, TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x40000000, 0x400454CA, 0x0002, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def open_tap(namespace):
    with open(f"/var/run/netns/{namespace}") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", b"d0", IFF_TAP | IFF_NO_PI))
    return tap


delay, loss = float(sys.argv[1]) / 1000, float(sys.argv[2])
taps = [open_tap(namespace) for namespace in sys.argv[3:]]
drawn = random.Random(1)
waiting, number = [], 0
while True:
    pause = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for tap in select.select(taps, [], [], pause)[0]:
        try:
            frame = os.read(tap, 65536)
        except BlockingIOError:
            continue
        if drawn.random() >= loss:
            number += 1
            heapq.heappush(waiting, (time.monotonic() + delay, number, tap, frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, sender, frame = heapq.heappop(waiting)
        for tap in taps:
            if tap != sender:
                try:
                    os.write(tap, frame)
                except (BlockingIOError, OSError):
                    pass  # a full queue loses it, as wires do
