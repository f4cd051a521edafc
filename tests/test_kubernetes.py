"""The manifests of deploy/kubernetes are valid, and say of the application and its image what is so."""

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from app.main import create_service
from app.settings import Settings, variable
from tests.support import CHECKOUT, SHIPPED

Object = dict[str, Any]

FOLDER = CHECKOUT / "deploy" / "kubernetes"
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
VERSIONS = ("1.27", "1.37")  # the oldest that kustomization.yaml names, and the newest there are schemas of
MANIFESTS = {each.stem: yaml.safe_load(each.read_text()) for each in FOLDER.glob("*.yaml")}
KUSTOMIZATION = MANIFESTS.pop("kustomization")
COMPONENTS = ("keys", "models")
DEPLOYMENT = MANIFESTS["deployment"]
KSERVE, TENSORFLOW_SERVING = (
    yaml.safe_load((FOLDER / "kserve" / f"{name}.yaml").read_text())
    for name in ("inferenceservice", "tensorflow-serving")
)
KSERVES_OWN = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}  # of a predictor; all else is of a pod
NAMED_BY = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}


def merged(base: Any, patch: Any, name: str = "") -> Any:
    """`base` with `patch`, as Kubernetes merges them: elements of lists by their names."""
    if isinstance(base, dict):
        return base | {key: merged(base[key], each, key) if key in base else each for key, each in patch.items()}
    if not isinstance(base, list):
        return patch
    key = NAMED_BY[name]
    named = {each[key]: each for each in base}
    for each in patch:
        named[each[key]] = merged(named.get(each[key], {}), each)
    return list(named.values())


def with_components(*names: str) -> Object:
    deployment = DEPLOYMENT
    for name in names:
        deployment = merged(deployment, yaml.safe_load((FOLDER / name / "deployment.yaml").read_text()))
    return dict(deployment)


DEPLOYMENTS = {" and ".join(names) or "bare": with_components(*names) for names in [(), *zip(COMPONENTS), COMPONENTS]}
PODS: dict[str, Object] = {name: each["spec"]["template"]["spec"] for name, each in DEPLOYMENTS.items()}
PODS["kserve"] = {key: each for key, each in KSERVE["spec"]["predictor"].items() if key not in KSERVES_OWN}


@pytest.fixture(params=PODS)
def pod(request: pytest.FixtureRequest) -> Object:
    return PODS[request.param]


@pytest.fixture
def container(pod: Object) -> Object:
    (container,) = pod["containers"]
    return dict(container)


def environment_of(container: Object) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env", [])}


def of_image(pattern: str) -> str:
    (found,) = re.findall(pattern, DOCKERFILE)
    return str(found)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_each_manifest_is_as_kubernetes_wants_it(name: str, version: str) -> None:
    assert kubernetes_validate.validate(MANIFESTS[name], version, strict=True) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_each_pod_is_as_kubernetes_wants_it(pod: Object, version: str) -> None:
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "digits"}, "spec": pod}
    assert kubernetes_validate.validate(document, version, strict=True) == version


def test_the_schemas_know_what_is_wrong() -> None:
    wrong = merged(DEPLOYMENT, {"spec": {"strategy": {"type": "Sometimes"}, "replica": 2}})
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_kustomize_takes_every_manifest_the_components_and_this_version_of_the_image() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted(f"{name}.yaml" for name in MANIFESTS)
    for name in COMPONENTS:
        component = yaml.safe_load((FOLDER / name / "kustomization.yaml").read_text())
        assert (component["kind"], component["patches"]) == ("Component", [{"path": "deployment.yaml"}])
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    (container,) = PODS["bare"]["containers"]
    assert KUSTOMIZATION["images"] == [{"name": container["image"], "newTag": version}]
    assert PODS["kserve"]["containers"][0]["image"] == f"{container['image']}:{version}"


def test_a_component_changes_the_deployment_and_nothing_that_there_is() -> None:
    for name in COMPONENTS:
        patch = yaml.safe_load((FOLDER / name / "deployment.yaml").read_text())
        assert [patch[key] for key in ("apiVersion", "kind")] == ["apps/v1", "Deployment"]
        assert patch["metadata"]["name"] == DEPLOYMENT["metadata"]["name"]
        before, after = PODS["bare"], PODS[name]
        assert [each["name"] for each in after["containers"]] == [each["name"] for each in before["containers"]]
        for each in ("env", "volumeMounts"):
            assert after["containers"][0][each][: len(before["containers"][0][each])] == before["containers"][0][each]
        assert after["volumes"][: len(before["volumes"])] == before["volumes"]


def test_every_manifest_is_about_the_pods_of_the_deployment() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    spec = {name: each["spec"] for name, each in MANIFESTS.items()}
    assert labels == spec["deployment"]["selector"]["matchLabels"]
    assert labels == spec["service"]["selector"]
    assert labels == spec["poddisruptionbudget"]["selector"]["matchLabels"]
    assert labels == spec["networkpolicy"]["podSelector"]["matchLabels"]
    assert [each["labelSelector"]["matchLabels"] for each in PODS["bare"]["topologySpreadConstraints"]] == [labels] * 2
    target = spec["horizontalpodautoscaler"]["scaleTargetRef"]
    assert target == {key: DEPLOYMENT[key] for key in ("apiVersion", "kind")} | {"name": DEPLOYMENT["metadata"]["name"]}
    assert "replicas" not in spec["deployment"]  # the autoscaler's; each `apply` would set it back


def test_it_is_updated_and_disrupted_one_by_one_while_others_serve() -> None:
    assert DEPLOYMENT["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert MANIFESTS["horizontalpodautoscaler"]["spec"]["minReplicas"] > 1
    assert MANIFESTS["poddisruptionbudget"]["spec"]["maxUnavailable"] == 1


def test_the_port_is_the_images(container: Object) -> None:
    (port,) = container["ports"]
    assert port["containerPort"] == Settings().port == int(of_image(r"EXPOSE (\d+)"))
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["httpGet"]["port"] in (port["name"], port["containerPort"])


def test_the_service_the_network_policy_and_prometheus_find_the_port() -> None:
    (port,) = PODS["bare"]["containers"][0]["ports"]
    assert MANIFESTS["service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert MANIFESTS["networkpolicy"]["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": port["name"]}]
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_what_is_asked_for_is_there(tiny_url: str) -> None:
    paths = {
        DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"],
        *probes("kserve").values(),
    }
    assert {httpx.get(tiny_url + path).status_code for path in paths | set(probes("bare").values())} == {200}


@pytest.mark.parametrize("name", ["bare", "kserve"])
def test_before_a_model_is_loaded_a_pod_is_alive_and_not_ready(name: str) -> None:
    transport = httpx.ASGITransport(create_service(Settings()))  # which loads none without its lifespan

    async def ask() -> dict[str, int]:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return {probe: (await client.get(path)).status_code for probe, path in probes(name).items()}

    assert asyncio.run(ask()) == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}


def probes(name: str) -> dict[str, str]:
    (container,) = PODS[name]["containers"]
    return {key: each["httpGet"]["path"] for key, each in container.items() if key.endswith("Probe")}


def test_a_pod_may_do_what_the_container_check_leaves_it(pod: Object, container: Object) -> None:
    user, group = map(int, of_image(r"USER (\d+:\d+)").split(":"))
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (user, group, True)
    assert context["fsGroup"] == group  # or it could not read its keys
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    written = {each["name"]: each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert written == {"tmp": "/tmp"}
    size = re.search(r"--tmpfs /tmp:\S*size=(\d+)m", (CHECKOUT / "tests" / "container" / "run_image.sh").read_text())
    assert {"name": "tmp", "emptyDir": {"sizeLimit": f"{size[1]}Mi"}} in pod["volumes"]  # type: ignore[index]


def test_a_pod_has_all_volumes_that_it_mounts(pod: Object, container: Object) -> None:
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}


def test_a_pod_sets_what_the_service_knows(pod: Object, container: Object, tmp_path: Path) -> None:
    assert pod["enableServiceLinks"] is False  # Kubernetes would set DIGITS_PORT
    given = environment_of(container)
    assert set(given) <= set(map(variable, Settings.model_fields))
    if keys := given.get("DIGITS_API_KEYS"):
        (tmp_path / "keys").write_text("of-sixteen-or-more-characters")
        given["DIGITS_API_KEYS"] = f"@{tmp_path}/{Path(keys).name}"
    settings = Settings.from_environment(given, {})
    assert bool(settings.api_keys) == bool(keys)


def test_a_pod_has_time_to_drain(pod: Object, container: Object) -> None:
    drain = environment_of(container).get("DIGITS_DRAIN_SECONDS", of_image(r"DIGITS_DRAIN_SECONDS=(\d+)"))
    assert pod["terminationGracePeriodSeconds"] > float(drain) + 2


def test_the_keys_are_a_file_of_the_secret_that_is_made_as_is_said() -> None:
    container, (*_, volume) = PODS["keys"]["containers"][0], PODS["keys"]["volumes"]
    said = re.search(
        r"secret generic (\S+) --from-file=(\S+)=FILE", (FOLDER / "keys" / "kustomization.yaml").read_text()
    )
    secret, name = said.groups()  # type: ignore[union-attr]
    assert volume["secret"] == {"secretName": secret, "defaultMode": 0o440}
    assert environment_of(container)["DIGITS_API_KEYS"] == f"@{container['volumeMounts'][-1]['mountPath']}/{name}"


@pytest.mark.parametrize("name", ["models", "kserve"])
def test_the_model_folder_lies_in_the_claim_and_bears_the_models_name(name: str) -> None:
    container, (*_, volume) = PODS[name]["containers"][0], PODS[name]["volumes"]
    folder, mount = Path(environment_of(container)["DIGITS_MODEL_DIR"]), container["volumeMounts"][-1]
    assert (folder.name, str(folder.parent)) == (SHIPPED.name, mount["mountPath"])
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    claim = volume["persistentVolumeClaim"]
    assert claim["readOnly"]
    model = TENSORFLOW_SERVING["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"pvc://{claim['claimName']}/{folder.name}"
    assert model["modelFormat"]["name"] == "tensorflow"


def test_kserve_is_given_what_it_knows() -> None:
    for each in (KSERVE, TENSORFLOW_SERVING):
        assert (each["apiVersion"], each["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
        assert set(each) == {"apiVersion", "kind", "metadata", "spec"}
    predictor = KSERVE["spec"]["predictor"]
    assert set(predictor) > KSERVES_OWN
    assert [each["name"] for each in predictor["containers"]] == ["kserve-container"]
    autoscaler = MANIFESTS["horizontalpodautoscaler"]["spec"]
    for key in ("minReplicas", "maxReplicas"):
        assert predictor[key] == autoscaler[key]
    assert predictor["scaleTarget"] == autoscaler["metrics"][0]["resource"]["target"]["averageUtilization"]
