"""Pickles that run programs in Python's own unpickler, and broken ones."""

import collections
import copyreg
import functools
import gzip
import importlib
import io
import operator
import os
import pickle
import posix
import runpy
import struct
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import torch

FLOATS = np.random.default_rng(0).normal(size=(7, 133, 3))
TENSOR = torch.from_numpy(FLOATS)


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function: object, *args: object) -> None:
        self.function, self.args = function, args

    def __call__(self) -> None:
        """Callable, as the pickler asks of functions."""

    def __reduce__(self) -> tuple[object, ...]:
        return self.function, self.args


class WithState(Call):
    """Pickles as a call followed by BUILD."""

    def __reduce__(self) -> tuple[object, ...]:
        return self.function, self.args[:-1], self.args[-1]


def touch(canary: Path) -> str:
    return f"__import__('pathlib').Path({str(canary)!r}).touch()"


def running(canary: Path) -> dict[str, bytes]:
    """Pickles that create the canary when Python's own unpickler reads them."""
    code, shell = touch(canary), f"touch {canary}"
    python = [sys.executable, "-c", code]
    script = canary.with_name("script.py")
    script.write_text(code)
    payloads = {
        "os.system": Call(os.system, shell),
        "posix.system": Call(posix.system, shell),
        "os.mkdir": Call(os.mkdir, str(canary)),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "subprocess.call": Call(subprocess.call, python),
        "subprocess.run": Call(subprocess.run, python),
        "subprocess.check_output": Call(subprocess.check_output, python),
        "runpy": Call(runpy.run_path, str(script)),
        "getattr chain": Call(Call(getattr, Call(importlib.import_module, "os"), "system"), shell),
        "attrgetter": Call(
            Call(operator.attrgetter("system"), Call(importlib.import_module, "os")), shell
        ),
        "methodcaller": Call(operator.methodcaller("touch"), canary),
        "partial": Call(functools.partial(os.system, shell)),
        "reduce": Call(functools.reduce, eval, [code, None]),
        "map": Call(list, Call(map, eval, [code])),
        "os.open": Call(os.close, Call(os.open, str(canary), os.O_CREAT)),
        "Path.touch": Call(Path.touch, canary),
        "numpy file": Call(np.savetxt, str(canary), [1.0]),
        "tensor of a payload": Call(
            torch.storage._load_from_bytes, legacy(pickle.dumps(Call(exec, code), protocol=2))
        ),
        "webbrowser": Call(webbrowser.get, Call(exec, code)),
        "state of a class": WithState(Canary, {"path": str(canary)}),
        "dictionary of calls": Call(collections.OrderedDict, [("a", Call(exec, code))]),
        "deep in a clip": {"train/a": {"keypoint": FLOATS, "gloss": Call(exec, code)}},
        "beside tensors": [TENSOR, Call(exec, code)],
        "copyreg": Call(copyreg._reconstructor, Call(exec, code), object, None),
    }
    made = {name: pickle.dumps(value) for name, value in payloads.items()}
    quoted = code.encode()
    made |= {
        "GLOBAL": b"\x80\x02cbuiltins\nexec\nX"
        + struct.pack("<I", len(quoted))
        + quoted
        + b"\x85R.",
        "INST": b"\x80\x02(X" + struct.pack("<I", len(quoted)) + quoted + b"ibuiltins\nexec\n.",
        "OBJ": b"\x80\x02(cbuiltins\nexec\nX" + struct.pack("<I", len(quoted)) + quoted + b"o.",
        "dotted name": b"\x80\x04\x8c\x08builtins\x8c\x0dexec.__call__\x93X"
        + struct.pack("<I", len(quoted))
        + quoted
        + b"\x85R.",
        "protocol 4 deep name": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c"
        + bytes([len(shell)])
        + shell.encode()
        + b"\x85R.",
        "payload before a good file": pickle.dumps(Call(exec, code))[:-1]
        + b"0"
        + pickle.dumps({"train/a": {"keypoint": FLOATS}})[2:],
        "payload in the place of numbers": pickle.dumps(
            Call(torch._utils._rebuild_tensor_v2, Call(exec, code), 0, (1,), (1,), False, {})
        ),
    }
    buffer = io.BytesIO()
    torch.save(Call(exec, code), buffer)
    made["zip tensor"] = pickle.dumps(
        {"a": Call(torch.storage._load_from_bytes, buffer.getvalue())}
    )
    return made


class Canary:
    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["path"]).touch()


def legacy(payload: bytes) -> bytes:
    """A stream of torch whose storage is a payload."""
    head = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    head.append(pickle.dumps({"little_endian": True, "protocol_version": 1001}, 2))
    return b"".join(head) + payload + pickle.dumps([], 2)


def named(module: str, name: str) -> bytes:
    """A pickle that calls a name without arguments."""
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93)R."


NAMES = """
builtins.__import__ builtins.getattr builtins.setattr builtins.compile builtins.open
builtins.globals builtins.breakpoint builtins.object builtins.bytearray builtins.complex
__builtin__.eval nt.system os.execv os.fork os.path.join os.__dict__.get sys.modules.get
sys.setrecursionlimit importlib.reload importlib._bootstrap.module_from_spec types.CodeType
types.FunctionType marshal.loads shelve.open dbm.open shutil.rmtree pathlib.Path.unlink
tempfile.mkstemp socket.create_connection urllib.request.urlopen http.server.test smtplib.SMTP
ftplib.FTP asyncio.run multiprocessing.Process multiprocessing.util.spawnv_passfds ctypes.CDLL
cffi.FFI code.interact codeop.compile_command bdb.Bdb pdb.run cProfile.run timeit.timeit
trace.Trace doctest.debug_script pydoc.pipepager idlelib.pyshell.main pip.main venv.create
ensurepip.bootstrap site.execsitecustomize zipimport.zipimporter pkgutil.resolve_name
logging.config.dictConfig unittest.mock._importer lib2to3.main distutils.file_util.write_file
copyreg._reconstructor copyreg.add_extension copyreg.__newobj__ operator.itemgetter
operator.methodcaller functools.partial functools.reduce itertools.starmap collections.namedtuple
collections.deque collections.OrderedDict.fromkeys _codecs.decode codecs.encode codecs.open
numpy.load numpy.fromfile numpy.memmap numpy.save numpy.core.memmap numpy.core.multiarray.fromfile
numpy.core.multiarray._reconstruct.__globals__ numpy._core.multiarray.fromstring
numpy.lib.npyio.load numpy.testing._private.utils.runstring numpy.f2py.crackfortran.getlincoef
numpy.ndarray.tofile numpy.dtype.type numpy.random._pickle.__randomstate_ctor
numpy.ma.core._mareconstruct torch.load torch.save torch.hub.load torch.jit.load
torch.serialization.load torch.storage.torch.load torch.package.PackageImporter
torch._utils._rebuild_parameter torch._utils._rebuild_tensor torch._utils._rebuild_qtensor
torch._tensor._rebuild_from_type_v2 torch.nn.Module._load_from_state_dict
torch.nn.modules.module.Module.load_state_dict torch.nn.Module._load_from_bytes
torch.distributed.run.main torch.utils.cpp_extension.load torch.FloatStorage torch.Tensor
signgen.files.foreign.pickles.read_pickle signgen.cli.main.main pandas.read_pickle
pandas.io.pickle.loads joblib.load dill.loads cloudpickle.loads yaml.unsafe_load pty.spawn
webbrowser.open numpy.core.numeric.frombuffer builtins.bytes.fromhex os..system
""".split()  # noqa: SIM905


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def laughs(depth: int = 60) -> bytes:
    """Ten references to a list of ten references to ...: 10 ** depth leaves."""
    layers = b"".join(
        b"\x94](" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 9 + b"e" for i in range(depth)
    )
    return b"\x80\x04]" + layers


def clip_of(value: bytes) -> bytes:
    """A dictionary with the clip train/a as `value` builds it."""
    return b"\x80\x04}\x8c\x07train/a" + value + b"s."


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
DTYPE = b"cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNN"
DTYPE += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"

BROKEN: dict[str, bytes] = {
    "OBJ of an allowed name": b"\x80\x02(cnumpy\nndarray\no.",
    "NEWOBJ": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": b"\x80\x02Pstorage\n.",
    "BINPERSID": b"\x80\x02X\x07\x00\x00\x00storage\x85Q.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05C\x01a\x98.",
    "DUP": b"\x80\x02]2a.",
    "POP": b"\x80\x02]0.",
    "POP_MARK": b"\x80\x02](1.",
    "LONG4": b"\x80\x02\x8b" + u32(2**31 - 1) + b"1.",
    "LONG1 of 255 bytes": b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".",
    "decimal digits": b"\x80\x02I" + b"9" * 100_000 + b"\n.",
    "FROZENSET": b"\x80\x04(\x91.",
    "set": pickle.dumps({"a": {1, 2}}),
    "BINBYTES8 beyond the file": b"\x80\x04\x8e" + u64(2**62) + b"x.",
    "BINBYTES8 below 0": b"\x80\x04\x8e" + u64(2**64 - 1) + b"x.",
    "BINUNICODE8 beyond the file": b"\x80\x04\x8d" + u64(2**40) + b"x.",
    "BYTEARRAY8 beyond the file": b"\x80\x05\x96" + u64(2**40) + b"x.",
    "BINSTRING below 0": b"\x80\x02T\xff\xff\xff\xff.",
    "FRAME beyond the file": b"\x80\x04\x95" + u64(2**63) + b"N.",
    "memo bomb": b"\x80\x02Nr" + u32(2**32 - 1) + b".",
    "memo that is not there": b"\x80\x02j" + u32(2**32 - 1) + b".",
    "stack underflow": b"\x80\x02R.",
    "mark underflow": b"\x80\x02t.",
    "no STOP": b"\x80\x02]]]]",
    "two values": b"\x80\x02NN.",
    "mark left": b"\x80\x02}(.",
    "marks without end": b"\x80\x02" + b"(" * 300_000 + b".",
    "instructions without end": b"\x80\x02]" + b"(e" * 300_000 + b".",
    "nested lists": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "nested tuples": b"\x80\x02)" + b"\x85" * 300_000 + b".",
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 300_000 + b"Ns.",
    "doubled tuples as a key": b"\x80\x02})q\x00" + b"h\x00\x86q\x00" * 60 + b"Ns.",
    "billion laughs": laughs() + b".",
    "billion laughs in a clip": clip_of(laughs()[2:]),
    "billion laughs in a frame": b"\x80\x04](}(\x8c\x06bodies"
    + b"\x8c\x05hands"
    + laughs()[2:]
    + b"\x8c\x05faces"
    + b"Nue.",
    "list in itself": b"\x80\x02]q\x00h\x00a.",
    "clip that is its dictionary": b"\x80\x02}q\x00X\x07\x00\x00\x00train/ah\x00s.",
    "OrderedDict with contents": b"\x80\x02ccollections\nOrderedDict\n]\x85R.",
    "encode as hex": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
    "encode with an error handler": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00"
    b"latin1X\x06\x00\x00\x00ignore\x87R.",
    "ndarray of a shape": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft\x85R.",
    "_reconstruct of a class of its own": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n"
    b"cnumpy\ndtype\nK\x00\x85C\x01b\x87R.",
    "call of a dictionary": b"\x80\x02})R.",
    "call without a tuple": b"\x80\x02cnumpy\ndtype\n]R.",
    "state of a dictionary": b"\x80\x02}}b.",
    "state of a name": b"\x80\x02cnumpy\ndtype\n}b.",
    "state of an array as a dictionary": b"\x80\x02" + ARRAY + b"}X\x08\x00\x00\x00__dict__}sb.",
    "state of an array with attributes": b"\x80\x02" + ARRAY + b"N}\x86b.",
    "state of a type as a dictionary": b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R}b.",
    "state given twice": clip_of(ARRAY + (b"(K\x01K\x01\x85" + DTYPE + b"\x89C\x04\0\0\0\0tb") * 2),
    "array of objects": pickle.dumps({"train/a": np.array([{}, []], object)}),
    "array of records": pickle.dumps({"train/a": np.zeros(2, [("x", "f4")])}),
    "array of texts": pickle.dumps({"train/a": np.array(["a"])}),
    "array of dates": pickle.dumps({"train/a": np.zeros(2, "M8[s]")}),
    "array of complex": pickle.dumps({"train/a": np.zeros((1, 133, 3), complex)}),
    "masked array": pickle.dumps({"train/a": np.ma.masked_array([1.0], [True])}),
    "array larger than its bytes": clip_of(
        ARRAY + b"(K\x01(M\xff\xffK\x85K\x03t" + DTYPE + b"\x89C\x04\0\0\0\0tb"
    ),
    "array without end": clip_of(
        ARRAY + b"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft" + DTYPE + b"\x89C\x04\0\0\0\0tb"
    ),
    "array of negative shape": clip_of(
        ARRAY + b"(K\x01(J\xff\xff\xff\xffJ\xff\xff\xff\xfft" + DTYPE + b"\x89C\x04\0\0\0\0tb"
    ),
    "array never described": clip_of(ARRAY),
    "tensor of big-endian storage": pickle.dumps({"train/a": TENSOR.float()}).replace(
        b"little_endianq\x02\x88", b"little_endianq\x02\x89"
    ),
    "tensor beyond its storage": pickle.dumps({"train/a": torch.ones(1, 133, 3)}).replace(
        b"K\x01K\x85K\x03\x87", b"K\x09K\x85K\x03\x87"
    ),
    "tensor of bfloat16": pickle.dumps({"train/a": torch.ones(1, 133, 3).bfloat16()}),
    "tensor of complex": pickle.dumps({"train/a": torch.ones(1, 133, 3) * 1j}),
    "sparse tensor": pickle.dumps({"train/a": torch.eye(3).to_sparse()}),
    "parameter": pickle.dumps({"train/a": torch.nn.Parameter(torch.ones(1, 133, 3))}),
    "protocol 9": b"\x80\x02\x80\x09N.",
    "text that is not UTF-8": b"\x80\x02X\x01\x00\x00\x00\xff.",
    "long name": b"\x80\x02c" + b"a" * 10_000 + b"\nb\n.",
    "name of bytes": b"\x80\x04C\x02osC\x06system\x93.",
    "two clips that are one": b"\x80\x04}(\x8c\x01a}\x94\x8c\x01bh\x00u.",
    "nothing": b"\x80\x04N.",
    "gzip of a payload": gzip.compress(named("os", "system")),
    "gzip bomb": gzip.compress(b"\x80\x04" + bytes(600 * 2**20), 1),
    "gzip cut": gzip.compress(pickle.dumps({"train/a": FLOATS}))[:-2000],
    "gzip broken": b"\x1f\x8b\x08\x00" + bytes(30),
    "gzip of a text": gzip.compress(b"key points"),
    "annotations without key points": gzip.compress(
        pickle.dumps([{"name": "a", "gloss": "A", "sign": torch.ones(3, 4)}])
    ),
}
