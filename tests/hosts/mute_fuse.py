# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system that answers nobody, as one of a dead server does: mute_fuse.py DIRECTORY. It runs on a test host."""

import ctypes
import os
import struct
import sys

# linux/fuse.h: the head of a request, of an answer, and what answers FUSE_INIT of version 7.
_REQUEST, _ANSWER, _INIT = struct.Struct("=IIQQIIII"), struct.Struct("=IiQ"), 26
_VERSION = struct.pack("=IIIIHHI", 7, 12, 65536, 0, 0, 0, 4096)

handle = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={handle},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if ctypes.CDLL(None, use_errno=True).mount(b"mute", sys.argv[1].encode(), b"fuse", 0, options):
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
while True:
    request = _REQUEST.unpack_from(os.read(handle, 1 << 20))
    if request[1] == _INIT:
        os.write(handle, _ANSWER.pack(_ANSWER.size + len(_VERSION), 0, request[2]) + _VERSION)
