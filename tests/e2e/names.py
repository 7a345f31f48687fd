"""A name server for one test, and the mount that makes a gateway ask it."""

import os
import socket
import struct
import threading
import time


class NameServer:
    """Answers that every name is 127.0.0.1: names in `silent` never, names in `late` after so many seconds."""

    def __init__(self, folder):
        self.silent, self.late, self.asked = set(), {}, []
        # a loopback address of this process's own, as the port is given
        self.address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        self.file = folder / "resolv.conf"
        self.file.write_text(f"nameserver {self.address}\n")
        self.socket.settimeout(0.1)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def mounts(self):
        return f"mount --bind {self.file} /etc/resolv.conf"

    def close(self):
        self.closing.set()
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while not self.closing.is_set():
            try:
                question, caller = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            threading.Thread(target=self._answer, args=(question, caller), daemon=True).start()

    def _answer(self, question, caller):
        name, at = [], 12
        while length := question[at]:
            name.append(question[at + 1:at + 1 + length].decode())
            at += 1 + length
        name, kind = ".".join(name), struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append(name)
        if name in self.silent:
            return
        time.sleep(self.late.get(name, 0))
        a = kind == 1
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, int(a), 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes([127, 0, 0, 1]) if a else b""
        self.socket.sendto(head + question[12:at + 5] + record, caller)
