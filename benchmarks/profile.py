"""`python -m benchmarks.profile` writes PROFILE.md and PROFILE.svg: where the µs of a request go."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.settings import CHECKOUT
from benchmarks import exchanges, garbage, prepare, processes, steps, surroundings
from benchmarks.errors import BenchmarkError
from benchmarks.load import Client
from benchmarks.measure import say
from benchmarks.publish import publish
from benchmarks.report import table
from benchmarks.servers import OWN, SERVICE, Contender, Server, running
from benchmarks.steps import Samples
from benchmarks.steps_plot import steps_plot

PAGE = Path(__file__).with_name("PROFILE.md")
PY_SPY = Path(sys.executable).with_name("py-spy")
CONNECTIONS = (64, 1)
WARM_UP_SECONDS, MEASURED_SECONDS, SAMPLED_SECONDS = 1, 2, 6
SAMPLES_A_SECOND = 500
FUNCTIONS = 15  # rows of the table


@dataclass(frozen=True)
class Profile:
    """One server at one number of connections: µs of CPU a request, and its samples."""

    cpu_us: float
    samples: Samples

    def costs(self) -> dict[str, float]:
        """µs a request by step."""
        return {step: self.cpu_us * self.samples.share(step) for step in steps.STEPS}


@dataclass(frozen=True)
class Bench:
    """Where it all happens."""

    folder: Path
    server_cpu: str
    client_cpu: str

    def profiles(self, name: str, contender: Contender) -> list[Profile]:
        """One for each of CONNECTIONS."""
        with running(contender.command, self.server_cpu, self.folder / f"{name}.log") as server:
            client = self._warm(server)
            return [self._profile(server, client, connections) for connections in CONNECTIONS]

    def garbage(self) -> tuple[int, int, float]:
        """Of a run of its own: requests, garbage collections, and µs that those cost each request."""
        log, command = self.folder / "garbage.log", ("-m", "benchmarks.garbage", *SERVICE.command[3:])
        with running((sys.executable, *command), self.server_cpu, log) as server:
            client = self._warm(server)
            requests = client.run(64, 2 * MEASURED_SECONDS).requests
        collections, seconds = garbage.collected(log.read_text(errors="replace"))
        return requests, collections, seconds * 1e6 / requests

    def _warm(self, server: Server) -> Client:
        exchange = exchanges.upload(exchanges.load_images())
        server.wait(lambda connection: exchange.ask(connection, 0))
        requests = self.folder / "requests"
        client = Client(server, requests if requests.exists() else exchange.write(requests), self.client_cpu)
        client.run(64, WARM_UP_SECONDS)
        return client

    def _profile(self, server: Server, client: Client, connections: int) -> Profile:
        loads = sorted((client.run(connections, MEASURED_SECONDS) for _ in range(3)), key=lambda load: load.cpu_us)
        cpu_us, waiting = loads[1].cpu_us, max(0.0, 1 - loads[1].cpu_us * loads[1].rate / 1e6)
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(client.run, connections, SAMPLED_SECONDS + 2)
            time.sleep(0.5)  # until wrk has its connections
            samples = _samples(processes.descendants(server.root)[0], self.folder / "samples.txt", self.server_cpu)
            load.result()
        say(f"  {connections:>2} connections: {cpu_us:.1f} µs of CPU a request, {waiting:.0%} of the time waiting")
        return Profile(cpu_us, samples.without_waiting(waiting))


def _samples(pid: int, file: Path, cpu: str) -> Samples:
    """Looks at the process from its own CPU, before everything else there: so it stands still meanwhile.

    py-spy's own way to stop a process takes effect with the end of the next system call, and whatever ran some µs
    before one was counted as that call (3.6 µs for a getpid of 0.15). From another CPU, without stopping it, the look
    comes late. And native frames take py-spy milliseconds a look, in TensorFlow's libraries.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cpu, "chrt", "--fifo", "1"]
    command += [str(PY_SPY), "record", "--nonblocking", "--idle", "--pid", str(pid), "--rate", str(SAMPLES_A_SECOND)]
    command += ["--duration", str(SAMPLED_SECONDS), "--format", "raw", "--threads", "--full-filenames"]
    done = subprocess.run([*command, "--output", str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(refusal(done.stderr))
    samples = steps.read(file.read_text())
    if not samples.steps:
        raise BenchmarkError("py-spy saw nothing of the loop's thread.")
    return samples


def refusal(said: str) -> str:
    """Why there are no samples, from what chrt or py-spy said."""
    if "ermission" in said or "not permitted" in said:
        return "py-spy may not look at the service: that needs root (or CAP_SYS_PTRACE and CAP_SYS_NICE)."
    return f"py-spy failed; it said: {said.strip()[-300:]}"


def _engine() -> str:
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "benchmarks.engine"]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchmarkError("benchmarks.engine failed; the lines above say why.")
    return done.stdout.strip()


def steps_table(service: list[Profile], floor: list[Profile]) -> str:
    """A row a step, and what they add up to."""
    columns = [profile.costs() for profile in (*service, *floor)]
    heads = [f"{name}, {n} connection{'s' * (n > 1)}" for name in ("service", "floor") for n in CONNECTIONS]
    rows = [["µs of CPU a request", *heads]]
    rows += [[step, *(f"{column[step]:.1f}" for column in columns)] for step in steps.STEPS]
    return table([*rows, ["**all**", *(f"**{sum(column.values()):.1f}**" for column in columns)]])


def functions_table(profile: Profile) -> str:
    """The functions that were innermost most often."""
    functions, total = profile.samples.functions, profile.samples.functions.total()
    rows = [["function", "µs of CPU a request"]]
    return table(rows + [[f, f"{profile.cpu_us * n / total:.1f}"] for f, n in functions.most_common(FUNCTIONS)])


def page(bench: Bench) -> tuple[str, str]:
    """Measures everything. Returns PROFILE.svg and PROFILE.md."""
    say("service:")
    service = bench.profiles("service", SERVICE)
    say("floor:")
    floor = bench.profiles("floor", OWN["floor-asgi"])
    requests, collections, garbage_us = bench.garbage()
    garbage = f"{garbage_us:.2f} µs a request ({collections} collections in {requests:,} requests)"
    say(f"  garbage collection: {garbage}")
    say("ways to call the model: ...")
    parts = [
        HEAD + "\n".join(f"- {line}" for line in surroundings.describe(())),
        steps_table(service, floor),
        TEXT.format(garbage=garbage, samples=f"{service[0].samples.steps.total():,}"),
        functions_table(service[0]),
        ENGINE + _engine(),
    ]
    return steps_plot(service[0].costs(), floor[0].costs()), "\n\n".join(parts) + "\n"


def main() -> int:
    """Returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: end the servers, remove the files
    try:
        if not PY_SPY.exists():
            raise BenchmarkError("py-spy is missing: make check installs it, with all that developers need.")
        server_cpu, client_cpu = prepare.two_cpus()
        prepare.wrk()
        with tempfile.TemporaryDirectory(prefix="digits-profile-") as folder:
            os.sched_setaffinity(0, {int(client_cpu)})  # py-spy's too
            plot, text = page(Bench(Path(folder), server_cpu, client_cpu))
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    publish(PAGE.with_suffix(".svg"), plot)
    publish(PAGE, text)
    return 0


HEAD = """# Where the time goes

Written by `python -m benchmarks.profile`.

"""
TEXT = f"""![CPU time a request, by step](PROFILE.svg)

The server has one CPU to itself, wrk another. The sums are its user and system time for each good answer without a
profiler, the median of three runs of {MEASURED_SECONDS} s. The shares are py-spy's, which then looked
{SAMPLES_A_SECOND} times a second for {SAMPLED_SECONDS} s, from the server's own CPU and before everything else there,
so that the server stands still. A look belongs to the step of the innermost Python function that has one
(benchmarks/steps.py). What a function calls in C is its own: the event loop's part holds the reading of each
request and the writing of its answer, which the floor does in two pieces; the log's write is the log's. Looks while the
server waits are taken out of the event loop's, as many as the CPU time without a profiler leaves for waiting.
{{samples}} looks are left at 64 connections: a step of 10 µs
among 50 is good to 0.8 µs by that number, one of 1 to 0.3. The machine itself differs by a tenth from run to run. The
floor is a bare ASGI application on the same uvicorn that answers a constant.

In all this is garbage collection: {{garbage}}, timed by
`gc.callbacks` in a run of its own.

## The dearest functions

At 64 connections, without what they call in Python, but with what they call in C."""
ENGINE = """## Ways to call the model

`python -m benchmarks.engine`: one CPU, TensorFlow's threads at 1, the best of several means, in turn; all ways give the
same answers. """

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
