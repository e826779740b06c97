"""Where the server's time goes in a Verify or a Check, beside the yardstick's."""

import re
import shutil
import subprocess

import many_routes
import report
import servers

# The first that matches says where a sample belongs. (group, object, symbol)
GROUPS = [
    ("kernel: network, scheduling", r"\[kernel|^\[vdso\]|^\[k\]", r""),
    ("crypto", r"libcrypto", r""),
    ("memory allocation", r"", r"malloc|calloc|realloc|_int_free|\bc?free$|operator (new|delete)"
                               r"|_Zn[wa]|_Zd[la]|gpr_(zalloc|free)|tcache|unlink_chunk"),
    ("gRPC: transport, HTTP/2", r"gatehouse-", r"^(\S+ )?grpc(::|_)"),
    ("the server's own code", r"gatehouse-", r"gatehouse::(?!v1::|bench::Nothing)|^main$"),
    ("protobuf", r"libprotobuf|gatehouse-", r"google::|gatehouse::(v1|bench)::|^(\S+ )?envoy::"),
    ("protobuf", r"libprotobuf", r""),
    ("gRPC: transport, HTTP/2", r"libgrpc|libgpr|libabsl|libupb|libaddress|libcares", r""),
    ("gRPC: transport, HTTP/2", r"gatehouse-", r"grpc"),
    ("the server's own code", r"gatehouse-|libsimdjson|libsqlite|libspdlog|libfmt|libprometheus",
     r""),
    ("C library: copying, locks", r"libc\.|libc-|libpthread|libstdc|libgcc|libm\.|ld-linux", r""),
]
SHOWN = 40


def group_of(library, symbol):
    for group, in_library, in_symbol in GROUPS:
        if re.search(in_library, library) and re.search(in_symbol, symbol):
            return group
    return "other"


def perf_works():
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"],
                          capture_output=True, check=False)
    return done.returncode == 0


def run(bench, options):
    profiler = options.profiler
    if profiler == "auto":
        profiler = "perf" if perf_works() else "callgrind"
    if profiler == "perf" and not perf_works():
        raise servers.BenchError("perf cannot record here (Debian package linux-perf)")
    if profiler == "callgrind" and shutil.which("callgrind_control") is None:
        raise servers.BenchError("neither perf (Debian package linux-perf) nor callgrind "
                                 "(valgrind) is there")
    profiled = perf if profiler == "perf" else callgrind
    names = [options.api] + ([] if options.yardstick_only else ["gatehouse"])
    results = {name: profiled(bench, name, options) for name in names}
    show(results, method(options).capitalize(), "us" if profiler == "perf" else "instructions")


def show(results, method_name, unit):
    """results: name -> [(cost of one call, library, symbol)]."""
    groups = {}
    for name, lines in results.items():
        for cost, library, symbol in lines:
            groups.setdefault(group_of(library, symbol), {}).setdefault(name, 0.0)
            groups[group_of(library, symbol)][name] += cost
    names = list(results)
    digits = 2 if unit == "us" else 0

    def row(label, costs):
        cells = [f"{costs.get(n, 0):,.{digits}f}" for n in names]
        if len(names) == 2:
            cells.append(f"{costs.get(names[1], 0) - costs.get(names[0], 0):+,.{digits}f}")
        return [label, *cells]

    header = [f"{method_name} of one token: {unit} a call", *names]
    rows = [row(g, c) for g, c in
            sorted(groups.items(), key=lambda item: -max(item[1].values()))]
    rows.append(row("all", {n: sum(line[0] for line in results[n]) for n in names}))
    print()
    print(report.table(header + (["more"] if len(names) == 2 else []), rows))
    last = names[-1]
    print(f"\n{last}: the {SHOWN} costliest functions")
    print(report.table(["function", "library", "group", unit], [
        [symbol[:70], library[:24], group_of(library, symbol).split(":")[0],
         f"{cost:,.{max(digits, 0)}f}"]
        for cost, library, symbol in sorted(results[last], reverse=True)[:SHOWN]]))


def method(options):
    return "check" if options.check else "verify"


def start(bench, name, options, wrapper=()):
    policy = many_routes.routes() if options.check else ""
    return bench.start_gatehouse(wrapper, policy=policy) if name == "gatehouse" else bench.start_null(
        name, wrapper=wrapper)


def make_known(bench, server):
    """The token, by a method that gives it the time that it takes under a profiler."""
    bench.load(server, "--method=verify", f"--tokens={bench.tokens('eddsa-one')}",
               "--seconds=0.2", "--warmup=0")


def perf(bench, name, options):
    """Samples of the CPU clock while the load runs, scaled to the CPU time of a call."""
    server = start(bench, name, options)
    data = str(bench.work_dir / f"perf-{name}.data")
    flags = [f"--method={method(options)}", f"--tokens={bench.tokens('eddsa-one')}"]
    make_known(bench, server)
    seconds = 0.5 if options.quick else 10
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-p", str(server.pid),
               "-o", data, "--", *bench.load_command(server, *flags, f"--seconds={seconds}",
                                                     "--warmup=0")]
    print("      " + " ".join(command), flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise servers.BenchError(f"perf record failed:\n{done.stdout}{done.stderr}")
    cpu_us = float(re.search(r'"server_cpu_us": ([\d.]+)', done.stdout).group(1))
    bench.stop(server)
    text = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "-F", "sample,dso,symbol", "-t", "|",
         "--percent-limit", "0"], capture_output=True, text=True, check=True).stdout
    lines = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|", 2)]
        if len(parts) == 3 and parts[0].isdigit():
            symbol = re.sub(r"^\[[.k]\] ", "", re.sub(r"\s+-\s+-\s*$", "", parts[2])).strip()
            lines.append((int(parts[0]), parts[1], symbol))
    samples = sum(line[0] for line in lines)
    if samples == 0:
        raise servers.BenchError("perf recorded no sample")
    print(f"      {name}: {samples} samples, {cpu_us:.2f} us CPU a call", flush=True)
    return [(cpu_us * count / samples, library, symbol) for count, library, symbol in lines]


def callgrind(bench, name, options):
    """Instructions (not time, and not the kernel's) of a bounded number of calls."""
    calls = 500 if options.quick else 5000
    out = bench.work_dir / f"callgrind-{name}.out"
    server = start(bench, name, options, ("valgrind", "--tool=callgrind", "--instr-atstart=no",
                                 f"--callgrind-out-file={out}"))
    print("      " + " ".join(server.command), flush=True)
    flags = [f"--method={method(options)}", f"--tokens={bench.tokens('eddsa-one')}", "--warmup=0"]
    make_known(bench, server)
    bench.load(server, *flags, "--calls=200")
    subprocess.run(["callgrind_control", "-i", "on", str(server.pid)], check=True,
                   capture_output=True)
    bench.load(server, *flags, f"--calls={calls}")
    subprocess.run(["callgrind_control", "-i", "off", str(server.pid)], check=True,
                   capture_output=True)
    bench.stop(server)
    text = subprocess.run(["callgrind_annotate", "--threshold=99.9", "--auto=no", str(out)],
                          capture_output=True, text=True, check=True).stdout
    lines = []
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+) \([^)]*\)\s+(\S*?):(.*?)(?: \[(.*)\])?$", line)
        if found:
            count, _, symbol, library = found.groups()
            library = (library or "").rsplit("/", 1)[-1]
            lines.append((int(count.replace(",", "")) / calls, library, symbol))
    if not lines:
        raise servers.BenchError("callgrind counted nothing")
    return lines
