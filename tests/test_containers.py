"""What the compose files allow a container: no capability, no new privilege, no file but those of its volumes, so much memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).parent.parent / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_may_do_only_what_it_needs(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"] and not {"cap_add", "privileged", "network_mode", "pid"} & service.keys()
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True and "/tmp" in service["tmpfs"]
    assert service["mem_limit"].endswith("g}")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", ["dashboard", "worker", "search"])
def test_a_container_of_tuner_writes_to_its_volume_and_to_memory(name: str) -> None:
    service = COMPOSE["services"][name]
    assert [volume for volume in service["volumes"] if not volume.endswith(":ro")] == ["study:/study"]
    assert service["environment"]["HOME"] == "/tmp"
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER tuner\n" in text and "TUNER_CACHE=/study/cache" in text


def test_every_setting_of_the_compose_files_is_explained() -> None:
    explained = {line.partition("=")[0] for line in (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines() if "=" in line[:30]}
    for file in DOCKER.glob("compose*.yaml"):
        used = {each.partition("}")[0].partition(":")[0] for each in file.read_text(encoding="utf-8").split("${")[1:]}
        assert used <= explained, file.name
