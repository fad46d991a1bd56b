"""The templates in `deploy/ecs/`: linted, created on a stand-in for AWS, and held together."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud.tools import python_tool
from tests.support.bucket_users import PREFIX, policy
from tests.support.cloudformation import filled
from tests.support.ecs import foundations, tasks, traffic
from tests.support.ecs.stacks import FOLDER, EcsStacks, read_stacks
from tests.support.moto import MotoServer, moto_server

CHECKS = (
    *(tasks.containers, tasks.tasks, tasks.roles, tasks.secrets),
    *(traffic.ports, traffic.load_balancing, traffic.deployments, traffic.network),
    *(foundations.redis, foundations.bucket, foundations.passing_on),
)


def problems(stacks: EcsStacks) -> list[str]:
    return [problem for check in CHECKS for problem in check(stacks)]


def test_cfn_lint_finds_nothing() -> None:
    command = [
        sys.executable,
        str(python_tool("cfn-lint")),
        "--regions",
        "eu-central-1",
        "us-east-1",
    ]
    run = subprocess.run(
        [*command, "--", *map(str, sorted(FOLDER.glob("*.yaml")))],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_templates_fit_together() -> None:
    assert problems(read_stacks()) == []


GONE = object()
API = "ApiTask/ContainerDefinitions/1"
AWSVPC = "NetworkConfiguration/AwsvpcConfiguration"
DEFECTS: list[tuple[str, object, str]] = [
    (f"{API}/PortMappings/0/ContainerPort", 80000, "container has port [80000]"),
    (f"{API}/HealthCheck/Command", "http://127.0.0.1:80/health/live", "health check has port [80]"),
    (f"{API}/HealthCheck/Command", "http://127.0.0.1:8000/health/ready", "would be killed"),
    (f"{API}/DependsOn/0/ContainerName", "temp", "waits for temp"),
    (f"{API}/Name", "web", "has no container api"),
    (f"{API}/Essential", False, "ends with another container"),
    (f"{API}/ReadonlyRootFilesystem", False, "can write to its root"),
    (f"{API}/User", "0", "images' user"),
    (f"{API}/Image", {"Ref": "WorkerImage"}, "another image"),
    (f"{API}/MountPoints/0/SourceVolume", "temp", "mounts"),
    (f"{API}/LogConfiguration/Options/awslogs-group", {"Ref": "Logs"}, "not a log group"),
    (f"{API}/LogConfiguration/Options/awslogs-group", {"Ref": "WorkerLogs"}, "not there whenever"),
    (f"{API}/Environment/0/Name", "LIFEBOAT_MODELLS", "LIFEBOAT_MODELLS, which nobody reads"),
    (f"{API}/Environment/0/Name", "LIFEBOAT_API_KEY", "shows LIFEBOAT_API_KEY"),
    (f"{API}/Secrets/0/ValueFrom", {"Ref": "Models"}, "may not read LIFEBOAT_API_KEY"),
    (f"{API}/Secrets/1", GONE, "has no signing key"),
    ("ApiTask/NetworkMode", "bridge", "no address of its own"),
    ("ApiTask/TaskRoleArn", {"Ref": "WorkerRoleArn"}, "another role than ApiRole"),
    ("WorkerTask/ExecutionRoleArn", {"Ref": "WorkerRoleArn"}, "started with another role"),
    ("ApiRole/ManagedPolicyArns/0", {"Ref": "PublishPolicy"}, "other rights than ServePolicy"),
    (
        "WorkerRole/AssumeRolePolicyDocument/Statement/0/Principal/Service",
        "ec2.amazonaws.com",
        "taken by others",
    ),
    ("TargetGroup/Port", 8080, "the target group has port"),
    ("TargetGroup/TargetType", "instance", "needs the target type ip"),
    ("TargetGroup/HealthCheckPath", "/health/live", "which is not /health/ready"),
    ("TargetGroup/Matcher/HttpCode", "200-599", "for ready"),
    ("HttpListener/Port", 8080, "security group lets in others"),
    ("HttpsListener/Protocol", "HTTP", "forwards without TLS"),
    ("ApiService/LoadBalancers/0/ContainerName", "apis", "the load balancer's container is apis"),
    ("ApiService/LoadBalancers/0/ContainerPort", 8001, "the service has port"),
    ("ApiService/TaskDefinition", {"Ref": "WorkerTask"}, "another task"),
    ("WorkerService/LaunchType", "EC2", "not run on Fargate"),
    ("ApiService/DeploymentConfiguration/MinimumHealthyPercent", 50, "before a new one is ready"),
    ("ApiService/DeploymentConfiguration/DeploymentCircuitBreaker", GONE, "does not roll back"),
    (f"ApiService/{AWSVPC}/Subnets", {"Ref": "PublicSubnets"}, "not in the private subnets"),
    (f"ApiService/{AWSVPC}/AssignPublicIp", "ENABLED", "a public address"),
    (f"WorkerService/{AWSVPC}/SecurityGroups/1", GONE, "WorkerService does not reach Redis"),
    ("LoadBalancer/Subnets", {"Ref": "PrivateSubnets"}, "not in the public subnets"),
    ("ApiSecurityGroup/SecurityGroupIngress/0/ToPort", 9000, "the security group has port"),
    ("ApiSecurityGroup/SecurityGroupIngress/0/SourceSecurityGroupId", GONE, "others than the load"),
    ("ApiCapacity/ResourceId", {"Fn::Sub": "service/${Cluster}/api"}, "ApiCapacity scales"),
    ("Server/Engine", "memcached", "memcached 8.0 has no parameters"),
    ("Server/Port", 6380, "another port"),
    ("Server/AuthToken", GONE, "without a password"),
    ("ParameterGroup/Properties/maxmemory-policy", "allkeys-lru", "throw jobs away"),
    ("Url/SecretString/Fn::Sub", "redis://${Server.PrimaryEndPoint.Address}", "without TLS"),
    ("Bucket/VersioningConfiguration", GONE, "is gone"),
    ("Bucket/PublicAccessBlockConfiguration/BlockPublicPolicy", False, "can be made public"),
    ("data.yaml/Outputs/ApiRoleArn", GONE, "no output ApiRoleArn"),
    ("data.yaml/Outputs/Models/Value", {"Ref": "Bucket"}, "the output Models"),
    ("redis.yaml/Outputs/RedisUrlSecretArn", GONE, "RedisUrlSecretArn is in one of"),
    ("services.yaml/Parameters/RedisUrlSecretArn/Default", GONE, "cannot be made without Redis"),
    ("services.yaml/Parameters/New", {"Type": "String"}, "needs New"),
    ("services.yaml/Resources/ApiService/DependsOn", GONE, "has a load balancer"),
]


@pytest.mark.parametrize(("path", "value", "found"), DEFECTS)
def test_what_does_not_fit_is_found(path: str, value: object, found: str) -> None:
    stacks = copy.deepcopy(read_stacks())
    _plant(stacks, path, value)
    assert any(found in problem for problem in problems(stacks)), problems(stacks)


def _plant(stacks: EcsStacks, path: str, value: object) -> None:
    """Change a resource's property, or what is in the template that is named; GONE deletes it."""
    first, *steps, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    templates = {f"{name}.yaml": getattr(stacks, name) for name in ("data", "redis", "services")}
    resources = {n: r["Properties"] for t in templates.values() for n, r in t["Resources"].items()}
    place: Any = (templates | resources)[str(first)]
    for step in steps:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("bucket", "BucketPolicy"),
        ("serve", "ServePolicy"),
        ("choose", "ChoosePolicy"),
        ("publish", "PublishPolicy"),
    ],
)
def test_the_stack_has_the_policies_that_are_tested_as_files(name: str, resource: str) -> None:
    names = {"Bucket": "versions", "Prefix": PREFIX, "AWS::Partition": "aws"}
    document = read_stacks().data["Resources"][resource]["Properties"]["PolicyDocument"]
    assert filled(document, names) == policy(name, "versions")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with moto_server(tmp_path_factory.mktemp("ecs") / "moto") as server:
        yield server


@pytest.fixture(scope="module")
def outputs(aws: MotoServer) -> dict[str, str]:
    """What data.yaml passes on, and what whoever deploys has to know."""
    made = aws.create_stack("lifeboat-data", FOLDER / "data.yaml", {})
    secrets = aws.client("secretsmanager")
    for name in ("ApiKeySecretArn", "SigningKeySecretArn"):
        # moto's CloudFormation makes no secrets.
        assert name not in made
        made[name] = secrets.create_secret(Name=name, SecretString="test")["ARN"]
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]
        for n, zone in enumerate(("eu-central-1a", "eu-central-1b") * 2)
    ]
    ids = [subnet["SubnetId"] for subnet in subnets]
    certificate = aws.client("acm").request_certificate(DomainName="lifeboat.example.org")
    return made | {
        "VpcId": vpc,
        "PublicSubnets": ",".join(ids[:2]),
        "PrivateSubnets": ",".join(ids[2:]),
        "CertificateArn": certificate["CertificateArn"],
        "ApiImage": "lifeboat-api:1",
        "WorkerImage": "lifeboat-worker:1",
    }


def _services(aws: MotoServer, cluster: str) -> dict[str, dict[str, object]]:
    """Return the task definition of each service of a cluster, by its main container."""
    ecs = aws.client("ecs")
    arns = ecs.list_services(cluster=cluster)["serviceArns"]
    found = {}
    for service in ecs.describe_services(cluster=cluster, services=arns)["services"]:
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        containers = task["taskDefinition"]["containerDefinitions"]
        found[containers[-1]["name"]] = {"service": service, **containers[-1]}
    return found


def test_the_stacks_are_created_with_redis(aws: MotoServer, outputs: dict[str, str]) -> None:
    secret = aws.client("secretsmanager").create_secret(Name="url", SecretString="rediss://x")
    group = aws.client("ec2").create_security_group(
        GroupName="redis-clients", Description="x", VpcId=outputs["VpcId"]
    )
    of_redis = {
        "RedisUrlSecretArn": secret["ARN"],
        "RedisClientSecurityGroup": group["GroupId"],
    }
    parameters = _taken(outputs) | of_redis
    made = aws.create_stack("lifeboat", FOLDER / "services.yaml", parameters)

    services = _services(aws, made["ClusterName"])
    assert set(services) == {"api", "worker"}
    secrets = {name: _names(services[name]["secrets"]) for name in services}
    assert secrets == {
        "api": {"LIFEBOAT_API_KEY", "LIFEBOAT_SIGNING_KEY", "LIFEBOAT_REDIS_URL"},
        "worker": {"LIFEBOAT_SIGNING_KEY", "LIFEBOAT_REDIS_URL"},
    }
    for name in services:
        assert _values(services[name]["environment"])["LIFEBOAT_MODELS"] == outputs["Models"]
    assert services["api"]["service"]["desiredCount"] == 2  # type: ignore[index]

    groups = aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [(g["Port"], g["TargetType"], g["HealthCheckPath"]) for g in groups] == [
        (8000, "ip", "/health/ready")
    ]


def test_without_redis_there_is_no_worker(aws: MotoServer, outputs: dict[str, str]) -> None:
    parameters = {k: v for k, v in _taken(outputs).items() if k != "WorkerImage"}
    made = aws.create_stack("serve-only", FOLDER / "services.yaml", parameters)
    services = _services(aws, made["ClusterName"])
    assert set(services) == {"api"}
    assert _values(services["api"]["environment"])["LIFEBOAT_REDIS_URL"] == "none"
    assert "LIFEBOAT_REDIS_URL" not in _names(services["api"]["secrets"])


def _taken(outputs: dict[str, str]) -> dict[str, str]:
    """Return the outputs that are parameters of services.yaml, as the page's command does."""
    return {k: v for k, v in outputs.items() if k in read_stacks().services["Parameters"]}


def _names(variables: object) -> set[str]:
    return {variable["name"] for variable in _there(variables)}


def _values(variables: object) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in _there(variables)}


def _there(variables: object) -> list[dict[str, str]]:
    """Leave out what moto makes of `AWS::NoValue` in a list, where CloudFormation makes nothing."""
    assert isinstance(variables, list)
    return [variable for variable in variables if variable is not None]
