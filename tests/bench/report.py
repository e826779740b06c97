"""What scripts/bench measured, as a table and as a dictionary for JSON."""

import platform
import pathlib
import re
import statistics
import subprocess


def machine(build_dir, cpus):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    models = re.findall(r"model name\s*:\s*(.*)", cpuinfo)
    cache = (pathlib.Path(build_dir) / "CMakeCache.txt").read_text()
    compiler = re.search(r"CMAKE_CXX_COMPILER:\w+=(.*)", cache).group(1)
    build_type = re.search(r"CMAKE_BUILD_TYPE:\w+=(.*)", cache).group(1)
    return {
        "cpu": f"{models[0] if models else platform.machine()}, {len(models)} CPUs",
        "kernel": platform.release(),
        "compiler": f"{_first_line([compiler, '--version'])}, {build_type}",
        "grpc": _first_line(["pkg-config", "--modversion", "grpc++"]),
        "server_cpu": cpus[0],
        "load_cpu": cpus[1],
    }


def _first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[0].strip() or "unknown"


def in_turn(compared, number):
    """What is compared, in the order of round `number`: there and back again from round to round,
    since whoever comes later is measured dearer by some percent."""
    return list(compared) if number % 2 else list(compared)[::-1]


def median(rounds, field):
    return statistics.median(r[field] for r in rounds)


def summary(rounds):
    """The medians of a case's rounds; the decisions and the calls are sums."""
    result = {field: round(median(rounds, field), 3) for field in
              ("rate", "p50_us", "p99_us", "server_cpu_us", "server_busy", "load_busy")}
    result["calls"] = sum(r["calls"] for r in rounds)
    result["reply_bytes"] = rounds[0]["reply_bytes"]
    result["rounds"] = len(rounds)
    return result


def ratio(rounds, yardstick_rounds):
    """CPU a call against the yardstick: the median of each round's own ratio,
    since a round's calls were made within seconds of each other."""
    return round(statistics.median(
        a["server_cpu_us"] / b["server_cpu_us"] for a, b in zip(rounds, yardstick_rounds)), 3)


def table(header, rows):
    """Aligned columns, the first to the left."""
    cells = [header] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        lines.append("  ".join(
            c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
    return "\n".join(line.rstrip() for line in lines)
