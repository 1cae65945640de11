"""Makes PyPI's torch for Linux load on a machine without NVIDIA's libraries, which would take another 4 GB.

    pip install --no-deps torch==2.15.0 nvidia-cuda-runtime==13.2.86
    python tests/exports/without_cuda.py

torch's libraries name NVIDIA's, so that none of them loads without, though on a CPU nothing calls them but the small runtime, which says
that there is no device. For each other that is named and absent, a library is compiled into torch's own folder whose functions return error
100, CUDA's "no device". Where torch was built for CPUs alone, as on macOS, nothing is named and nothing is done. Needs what Rust's linker
is made of: cc, nm and readelf.
"""
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NVIDIA = re.compile(r"lib(cu|nv|nccl)\w*\.so\.\d+$")
FUNCTION = re.compile(r"_*(cu|nv|nccl)\w+$")
NO_DEVICE = 100


def ask(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library, kind):
    """Names with their version, as in `cublasCreate_v2@libcublas.so.13`."""
    return {line.split()[-1].replace("@@", "@") for line in ask("nm", "-D", f"--{kind}-only", library).splitlines()}


def versions(library):
    """Version -> the library that is to define it."""
    found, file = {}, None
    for line in ask("readelf", "-VW", library).splitlines():
        if match := re.search(r"File: (\S+)", line):
            file = match[1]
        elif file and (match := re.search(r"Name: (\S+)\s+Flags", line)):
            found[match[1]] = file
    return found


def compile_library(path, version, functions):
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "absent.c"), Path(folder, "absent.map")
        source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in functions))
        script.write_text(f"{version} {{ global: *; }};\n")
        ask("cc", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-w", f"-Wl,-soname,{path.name}",
            f"-Wl,--version-script={script}", "-o", path, source)


def main():
    folder = Path(importlib.util.find_spec("torch").origin).parent / "lib"
    named, wanted, defined, of_version = set(), set(), set(), {}
    for library in folder.glob("*.so"):
        named |= set(re.findall(r"NEEDED.*\[(.*)\]", ask("readelf", "-dW", library)))
        wanted |= symbols(library, "undefined")
        defined |= {name.partition("@")[0] for name in symbols(library, "defined")}
        of_version |= versions(library)
    there = {path.name for path in [*folder.iterdir(), *folder.parent.parent.glob("nvidia/*/lib/*")]}
    absent = sorted(name for name in named - there if NVIDIA.match(name))
    functions = {name: [] for name in absent}
    for symbol in sorted(wanted):
        name, _, version = symbol.partition("@")
        if FUNCTION.match(name) and name not in defined:
            # one without a version is found wherever it is
            library = of_version.get(version, absent[0])
            if library in functions:
                functions[library].append(name)
    version_of = {library: version for version, library in of_version.items()}
    for name in absent:
        compile_library(folder / name, version_of.get(name, name), functions[name])
    print(f"{len(absent)} absent libraries compiled: {', '.join(absent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
