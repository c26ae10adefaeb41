"""The deployment files pass their linters, and agree with the service and with each other."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from ionscout.serving.launch import SERVICE

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def objects():
    return {
        found["kind"]: found for path in MANIFESTS for found in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    }


def containers():
    kinds = objects()
    return [kinds[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]


def test_the_yaml_is_clean():
    pytest.importorskip("yamllint")
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "-c", DEPLOY / ".yamllint", DEPLOY],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_the_manifests_are_valid_kubernetes(path):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for found in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_the_dockerfile_is_clean():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_image_runs_as_nobody_special():
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    for pod in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"]["drop"] == ["ALL"]
            assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def test_the_image_holds_every_room_and_what_the_build_reads():
    copied = {word for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {"datasets", "models", "training", "serving", "pyproject.toml", "constraints.txt", "README.md"} <= copied
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_requirements_that_the_image_extracts_are_those_of_the_package():
    (program,) = re.findall(r"-c '(import tomllib; .*)'", DOCKERFILE)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert done.stdout.splitlines() == declared


def test_versions_are_one():
    images = [container["image"] for pod in containers() for container in pod["containers"]]
    assert images == [f"ionscout:{VERSION}"] * 2
    bento = yaml.safe_load((DEPLOY / "bentofile.yaml").read_text())
    assert bento["python"]["wheels"] == [f"./dist/ionscout-{VERSION}-py3-none-any.whl"]


def test_the_bento_serves_the_service():
    from bentoml._internal.bento.build_config import BentoBuildConfig

    config = BentoBuildConfig.from_file(str(DEPLOY / "bentofile.yaml"))
    assert config.service == SERVICE
    assert (ROOT / config.python.requirements_txt).is_file()


def test_the_objects_find_each_other():
    kinds = objects()
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert not selector.items() <= kinds["Job"]["spec"]["template"]["metadata"]["labels"].items()
    target = kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", kinds["Deployment"]["metadata"]["name"])
    claims = [volume.get("persistentVolumeClaim") for pod in containers() for volume in pod["volumes"]]
    assert {claim["claimName"] for claim in claims if claim} == {kinds["PersistentVolumeClaim"]["metadata"]["name"]}


def test_the_probes_ask_what_the_service_answers(server):
    import httpx

    (container,) = objects()["Deployment"]["spec"]["template"]["spec"]["containers"]
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert objects()["Service"]["spec"]["ports"][0]["targetPort"] in names
    assert str(names["http"]) in container["args"]
    annotations = objects()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    paths = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    for path in {*paths, annotations["prometheus.io/path"]}:
        assert httpx.get(f"{server.url}{path}", timeout=10).status_code == 200


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_the_arguments_are_commands_that_exist(kind):
    import click
    from typer.main import get_command

    from ionscout.serving.cli import app

    command = get_command(app)
    (container,) = objects()[kind]["spec"]["template"]["spec"]["containers"]
    name, *arguments = container["args"]
    assert isinstance(command, click.Group) or hasattr(command, "commands")
    command.commands[name].make_context(name, arguments)  # parses, runs nothing


def test_no_host_of_a_registry_is_named():
    text = " ".join(path.read_text() for path in [*DEPLOY.rglob("*.*"), DEPLOY / "Dockerfile"] if path.is_file())
    assert not re.search(r"https?://(?!127\.0\.0\.1|localhost)", text)
