from __future__ import annotations

import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from strongroom.errors import FormatError, WorkerLost
from strongroom.worker import frames
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Datatype, Frame, Tensor
from strongroom.worker.messages import Answer, Export, Predict

Pair = tuple[Channel, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, peer="worker")
    yield channel, theirs
    channel.close()
    theirs.close()


def test_frames_come_out_as_they_went_in(pair: Pair) -> None:
    channel, theirs = pair
    other = Channel(theirs, peer="supervisor")
    for frame in (Frame(Export(id=1)), Frame(Predict(id=2, method="predict"))):
        channel.send(frame)
        assert other.receive() == frame


def test_a_frame_larger_than_any_socket_buffer_comes_out(pair: Pair) -> None:
    channel, theirs = pair
    data = bytes(range(256)) * (20 << 10)
    tensors = (Tensor("a", Datatype.UINT8, (len(data),), data), Tensor("b", Datatype.UINT8, (1,), b"\x07"))
    sender = threading.Thread(
        target=Channel(theirs, peer="supervisor").send, args=(Frame(Answer(id=1), tensors),)
    )
    sender.start()
    received = channel.receive()
    sender.join()
    assert received == Frame(Answer(id=1), tensors)


def test_more_tensors_than_one_system_call_takes(pair: Pair) -> None:
    channel, theirs = pair
    tensors = tuple(Tensor(str(number), Datatype.UINT8, (1,), b"\x01") for number in range(1500))
    sender = threading.Thread(
        target=Channel(theirs, peer="supervisor").send, args=(Frame(Answer(id=1), tensors),)
    )
    sender.start()
    assert channel.receive() == Frame(Answer(id=1), tensors)
    sender.join()


def test_the_end_between_frames_is_no_error(pair: Pair) -> None:
    channel, theirs = pair
    theirs.close()
    assert channel.receive() is None


@pytest.mark.parametrize("size", [1, 11, 12, 13, 40])
def test_the_end_within_a_frame_is_a_lost_peer(pair: Pair, size: int) -> None:
    channel, theirs = pair
    theirs.sendall(frames.to_bytes(Frame(Predict(id=1, method="predict")))[:size])
    theirs.close()
    with pytest.raises(WorkerLost, match="worker"):
        channel.receive()


def test_sending_to_a_lost_peer(pair: Pair) -> None:
    channel, theirs = pair
    theirs.close()
    with pytest.raises(WorkerLost):
        channel.send(Frame(Export(id=1)))


def test_a_bad_frame_leaves_the_stream_in_step(pair: Pair) -> None:
    channel, theirs = pair
    theirs.sendall(struct.pack("<IQ", 3, 8) + b"{}}" + bytes(8))
    theirs.sendall(frames.to_bytes(Frame(Export(id=5))))
    with pytest.raises(FormatError):
        channel.receive()
    assert channel.receive() == Frame(Export(id=5))


def test_a_claimed_length_is_not_memory(pair: Pair) -> None:
    channel, theirs = pair
    theirs.sendall(struct.pack("<IQ", 2, 1 << 32) + b"{}" + bytes(100))
    theirs.close()
    tracemalloc.start()
    with pytest.raises(WorkerLost):
        channel.receive()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_frame_beyond_the_limits_is_refused_unread(pair: Pair) -> None:
    channel, theirs = pair
    theirs.sendall(struct.pack("<IQ", 2, (1 << 32) + 1))
    with pytest.raises(FormatError) as caught:
        channel.receive()
    assert caught.value.code == "frame-too-large"


def test_a_silent_peer_is_given_up(pair: Pair) -> None:
    channel, theirs = pair
    channel.set_timeout(0.01)
    with pytest.raises(WorkerLost) as caught:
        channel.receive()
    assert caught.value.code == "worker-silent"
    with pytest.raises(WorkerLost) as caught:
        channel.send(Frame(Answer(id=1), (Tensor("a", Datatype.UINT8, (1 << 23,), bytes(1 << 23)),)))
    assert caught.value.code == "worker-silent"
    theirs.close()


def test_waiting_can_be_given_up() -> None:
    ours, theirs = socket.socketpair()

    def give_up() -> None:
        raise WorkerLost("the client has gone")

    channel = Channel(ours, peer="worker", before_read=give_up)
    with pytest.raises(WorkerLost, match="client"):
        channel.receive()
    channel.close()
    theirs.close()


def test_a_closed_channel_has_no_descriptor(pair: Pair) -> None:
    channel, _ = pair
    assert channel.fileno() >= 0
    channel.close()
    assert channel.fileno() == -1
    with pytest.raises(WorkerLost):
        channel.receive()
