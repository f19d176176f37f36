"""Workers placed by Ray: on a cluster of three raylets, each a process of its own, on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import yaml

from tests.conftest import Background, Tuner
from tests.test_own_network import write
from tests.test_search import edit, figures, longer, search_undisturbed, shown  # noqa: F401 - a fixture
from tuner.study.worker_id import WorkerId

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'optuna-tuner[ray]'"),
]
Start = Callable[..., Background]
# Ray's own way to several nodes on one machine; one line a node on stdout, and it ends with its stdin.
CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster
heads, nodes = json.loads(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={**heads, "include_dashboard": False})
made = [cluster.head_node, *(cluster.add_node(**node) for node in nodes)]
cluster.wait_for_nodes()
pids = [node.all_processes["raylet"][0].process.pid for node in made]
print(json.dumps({"address": cluster.address, "raylets": pids}), flush=True)
sys.stdin.read()
cluster.shutdown()
"""
SMALL = {"object_store_memory": 80_000_000}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    address: str
    raylets: list[int]

    def lose(self, node: int) -> list[psutil.Process]:
        """Kill a raylet, as a machine that is gone takes it along. What it had started, which Ray then ends."""
        raylet = psutil.Process(self.raylets[node])
        started = raylet.children(recursive=True)
        raylet.kill()
        return started


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A head and further raylets, as the test's parameter has them: by default a head without room, and two with one core."""
    head, nodes = getattr(request, "param", ({"num_cpus": 0}, [{"num_cpus": 1}] * 2))
    arguments = json.dumps([head | SMALL, [node | SMALL for node in nodes]])
    env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER, arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    tree: list[psutil.Process] = []
    try:
        facts = json.loads(process.stdout.readline())
        tree = psutil.Process(process.pid).children(recursive=True)
        yield Cluster(**facts)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(60)
        for each in psutil.wait_procs(tree, 5)[1]:
            each.kill()


def owners() -> dict[int, int]:
    """The pid of the worker of each RUNNING trial."""
    import sqlalchemy as sa

    from tuner.study.storage import Storage
    from tuner.study.tables import leases, trials

    storage = Storage(f"sqlite:///{Path.cwd()}/studies/tuner.db")
    query = (
        sa.select(trials.c.number, leases.c.owner).join(leases, trials.c.trial_id == leases.c.trial_id).where(leases.c.owner.is_not(None))
    )
    with storage.engine.connect() as connection:
        found = {number: WorkerId.parse(owner).pid for number, owner in connection.execute(query)}
    storage.close()
    return found


@pytest.mark.parametrize("how", ["raylet", "machine"])
def test_a_lost_node_s_trials_go_on_elsewhere_and_nothing_is_lost(
    how: str,
    background: Start,
    cluster: Cluster,
    longer: Path,  # noqa: F811
) -> None:
    space = yaml.safe_load(longer.read_text())["space"] | {"epochs": 40}
    edit(longer, sampler="random", space=space)  # what is drawn does not depend on which trial ended first
    search = background("search", "small.yaml", "--trials", "3", "--engine", "ray", "--address", cluster.address, "--workers", "2")
    begun: set[str] = set()
    while len(begun) < 2:  # both workers have finished an epoch
        begun.add(search.wait_for(r"trial (\d) epoch 2/40")[1])
    trial, pid = next((n, p) for n, p in owners().items() if pid_under(p, cluster.raylets[1]))
    before = {t["number"]: t["epochs"] for t in shown()["trials"]}
    if how == "machine":
        psutil.Process(pid).kill()  # it had no time to say goodbye
    started = cluster.lose(1)
    search.wait_for(rf"trial {trial} begins from epoch")
    assert search.end() == 0
    cause = "its machine, or its process there, is gone" if how == "raylet" else ""  # a kill may be heard of before its node is lost
    assert any(f"worker died ({cause}" in line for line in search.lines)
    assert not psutil.wait_procs(started, 30)[1], "something of the lost node still runs"
    facts = shown()
    assert [t["state"] for t in facts["trials"]] == ["COMPLETE"] * 3
    for number, epochs in before.items():
        assert facts["trials"][number]["epochs"][: len(epochs)] == epochs, "a reported epoch is gone"
    assert figures(facts) == search_undisturbed(longer.read_text(), trials=3, workers=2)


def test_trials_of_a_network_of_ones_own_that_ray_places_pause_and_go_on_as_they_do_without_it(
    tuner: Tuner, cluster: Cluster, tmp_path: Path
) -> None:
    own = write(tmp_path, pruner="promote", space={"lr": [0.01, 0.1], "epochs": 8, "network": {"dropout": [0.1, 0.2, 0.3]}})
    own.rename(tmp_path / "small.yaml")
    search = ("search", "small.yaml", "--trials", "6", "--workers", "1")
    said = tuner(*search, "--engine", "ray", "--address", cluster.address).stderr
    assert "paused at epoch" in said and " goes on" in said
    elsewhere = ("--storage", f"sqlite:///{tmp_path}/without.db")
    tuner(*search, *elsewhere)
    assert figures(shown()) == figures(shown("small", *elsewhere))


def pid_under(pid: int, ancestor: int) -> bool:
    return ancestor in {each.pid for each in psutil.Process(pid).parents()}


def test_ctrl_c_ends_a_cluster_of_the_search_s_own_with_its_workers(background: Start, longer: Path) -> None:  # noqa: F811
    search = background("search", "small.yaml", "--trials", "4", "--engine", "ray", "--workers", "2", env={"RAY_ADDRESS": ""})
    search.wait_for(r"trial 0 epoch 2/8")
    started = psutil.Process(search.process.pid).children(recursive=True)
    rays = {each.name(): each for each in started if each.name() in ("raylet", "gcs_server")}
    assert len(rays) == 2
    assert {each.environ().get("RAY_AUTH_MODE") for each in rays.values()} == {"token"}, "others on this machine could run code in it"
    os.killpg(search.process.pid, signal.SIGINT)
    assert search.end() == 130
    assert "the same command goes on" in search.lines[-1]
    assert not psutil.wait_procs(started, 20)[1]
    assert {t["state"] for t in shown()["trials"]} == {"WAITING"}


@pytest.mark.parametrize("cluster", [({"num_cpus": 8, "num_gpus": 1}, [])], indirect=True)
def test_four_workers_share_a_gpu_and_a_fifth_waits(cluster: Cluster, small_study: Path) -> None:
    """There is no GPU here: Ray is told of one, and the shares are its bookkeeping."""
    code = f"""
import json, os, ray
from pathlib import Path
from tuner.config.study_config import StudyConfig
from tuner.study.studies import create_or_load
from tuner.study.storage import Storage
from tuner.workers import on_ray
storage = Storage("sqlite:///small.db", make=True)
study = create_or_load(storage, "small", StudyConfig.from_file(Path("small.yaml")), "0" * 16, trials=50)
with on_ray.connect_ray(study, {cluster.address!r}, gpus=0.25, device="auto", local_cpus=1) as engine:
    placements = engine.placements(None, at_most=50, threads=1, precision="fp32", capture=False)
    class Seen(on_ray.Host):
        def gpu(self):
            return os.environ.get("CUDA_VISIBLE_DEVICES")
    hosts = [ray.remote(Seen).options(num_cpus=1, num_gpus=engine.gpus).remote() for _ in range(5)]
    ready, waiting = ray.wait([host.gpu.remote() for host in hosts], num_returns=5, timeout=15)
    print(json.dumps([[each.device for each in placements], ray.get(ready), len(waiting)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["cuda:0"] * 4, ["0"] * 4, 1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--address", "127.0.0.1:6379"), "--address 127.0.0.1:6379 is for --engine ray"),
        (("--gpus-per-worker", "0.25"), "--gpus-per-worker 0.25 is for --engine ray"),
        (("--engine", "ray", "--gpu", "0"), "use --gpus-per-worker"),
        (("--engine", "ray", "--device", "cpu", "--gpus-per-worker", "0.5"), "--device cpu without it"),
        (("--engine", "ray", "--dry-run"), "leave --engine ray out"),
        (("--engine", "ray", "--address", "ray://head:10001"), "is Ray's client: give HOST:PORT of the head"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    from click.testing import CliRunner

    from tuner.commands import main

    done = CliRunner().invoke(main, ["search", "quickstart", *args])
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "studies").exists(), "something was written"


@pytest.mark.parametrize("cluster", [({"num_cpus": 1}, [])], indirect=True)
def test_a_cluster_without_room_and_one_that_does_not_answer_are_one_line(tuner: Tuner, small_study: Path, cluster: Cluster) -> None:
    ours = ("search", "small.yaml", "--trials", "1", "--engine", "ray")
    done = tuner(*ours, "--address", cluster.address, "--threads", "2", code=2)
    assert "no machine of the Ray cluster has 2 CPU cores (--threads) for a worker" in done.stderr.splitlines()[-1]
    done = tuner(*ours, "--address", cluster.address, "--gpus-per-worker", "0.5", code=2)
    assert "0.5 of a GPU (--gpus-per-worker)" in done.stderr.splitlines()[-1]
    done = tuner(*ours, "--address", "127.0.0.1:1", code=1)
    assert "Ray at '127.0.0.1:1' does not answer" in done.stderr.splitlines()[-1]
