"""Prints the phoneme events of libespeak-ng for a voice and a text, as lines
"milliseconds ipa": what the library itself knows and the program does not tell."""
import ctypes
import sys


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", ctypes.c_char * 8),
    ]


PHONEME, RETRIEVAL, UTF8 = 7, 1, 1
lib = ctypes.CDLL("libespeak-ng.so.1")
callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))


@callback_type
def callback(_wav, _samples, events):
    i = 0
    while events[i].type != 0:
        e = events[i]
        if e.type == PHONEME:
            print(e.audio_position, e.id.decode("utf-8", "replace"))
        i += 1
    return 0


if lib.espeak_Initialize(RETRIEVAL, 0, None, 3) <= 0:
    sys.exit("espeak_Initialize")
if lib.espeak_SetVoiceByName(sys.argv[1].encode()) != 0:
    sys.exit("no such voice")
lib.espeak_SetSynthCallback(callback)
text = sys.argv[2].encode()
lib.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None)
lib.espeak_Synchronize()
