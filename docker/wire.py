#!/usr/bin/env python3
"""Wires for docker/cluster.sh --latency: what goes over them arrives late, both ways.

  wire.py tap MS NAME OTHER    makes two network devices and carries frames between them, each MS
                               milliseconds late; the caller may move either into a namespace
  wire.py relay AT TO PORT..   takes connections to AT:PORT and carries them to TO:PORT, at once
"""
import asyncio
import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_BYTES = 65536
# Frames under way on a wire; more are lost, as they are on any.
FRAMES = 65536


def open_tap(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


def tap(late, names):
    ends = [open_tap(name) for name in names]
    other = dict(zip(ends, reversed(ends)))
    # All are as late as each other, so the first to come is the first to go.
    under_way = collections.deque()
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        for end in select.select(ends, [], [], wait)[0]:
            if len(under_way) < FRAMES:
                frame = os.read(end, FRAME_BYTES)
                under_way.append((time.monotonic() + late, other[end], frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, frame = under_way.popleft()
            try:
                os.write(end, frame)
            except OSError:
                pass  # The device is down, or its queue is full: the frame is lost.


async def carry(reader, writer):
    try:
        while data := await reader.read(FRAME_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def relay(at, to, ports):
    def taker(port):
        async def take(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection(to, port)
            except OSError:
                return writer.close()
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

        return take

    for port in ports:
        await asyncio.start_server(taker(port), at, port)
    await asyncio.Event().wait()


match sys.argv[1:]:
    case ["tap", late, name, far]:
        tap(float(late) / 1000, [name, far])
    case ["relay", at, to, *ports] if ports:
        asyncio.run(relay(at, to, [int(port) for port in ports]))
    case _:
        sys.exit(__doc__)
