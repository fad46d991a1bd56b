"""How requests reach the services of `deploy/ecs/`, also while a new version is rolled out.

Each function yields a sentence for each thing that does not fit; neither cfn-lint nor moto looks.
"""

import re
from collections.abc import Iterator
from typing import Any

from shared.settings import Settings
from tests.support.cloudformation import choices, of_type
from tests.support.ecs.stacks import CONTAINERS, SERVICES, EcsStacks


def ports(stacks: EcsStacks) -> Iterator[str]:
    """Where the API listens, and where it is asked."""
    port = Settings.model_fields["port"].default
    container = stacks.main("ApiTask")
    balancers = stacks.properties("ApiService")["LoadBalancers"]
    let_in = stacks.properties("ApiSecurityGroup")["SecurityGroupIngress"]
    found = {
        "the API's container": [mapping["ContainerPort"] for mapping in container["PortMappings"]],
        "the target group": [stacks.properties("TargetGroup")["Port"]],
        "the service": [balancer["ContainerPort"] for balancer in balancers],
        "the security group": [rule[end] for rule in let_in for end in ("FromPort", "ToPort")],
        "the container's health check": [
            int(number) for number in re.findall(r":(\d+)/", str(container["HealthCheck"]))
        ],
    }
    for what, ports in found.items():
        if set(ports) != {port}:
            yield f"{what} has port {ports}, and the API listens on {port}"
    served = {listener["Port"] for listener in _listeners(stacks).values()}
    rules = stacks.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"]
    if served != {rule["FromPort"] for rule in rules} or served != {r["ToPort"] for r in rules}:
        yield f"the load balancer listens on {served}, and its security group lets in others"


def load_balancing(stacks: EcsStacks) -> Iterator[str]:
    """Who gets requests."""
    group = stacks.properties("TargetGroup")
    if group.get("TargetType") != "ip":
        yield f"TargetGroup: awsvpc needs the target type ip, found {group.get('TargetType')}"
    if group.get("HealthCheckPath") != "/health/ready":
        yield f"TargetGroup asks {group.get('HealthCheckPath')}, which is not /health/ready"
    if group.get("Matcher") != {"HttpCode": "200"}:
        yield f"TargetGroup takes {group.get('Matcher')} for ready"
    if "/health/live" not in str(stacks.main("ApiTask")["HealthCheck"]["Command"]):
        yield "a task that waits for its first model would be killed by its own health check"
    for balancer in stacks.properties("ApiService")["LoadBalancers"]:
        if balancer["ContainerName"] != CONTAINERS["ApiTask"]:
            yield f"ApiService: the load balancer's container is {balancer['ContainerName']}"
        if balancer["TargetGroupArn"] != {"Ref": "TargetGroup"}:
            yield "ApiService registers with another target group"
    forwarding = {
        name: listener
        for name, listener in _listeners(stacks).items()
        if listener["DefaultActions"][0]["Type"] == "forward"
    }
    if stacks.services["Resources"]["ApiService"].get("DependsOn") not in forwarding:
        yield "ApiService can be made before the target group has a load balancer"
    if any(listener["Protocol"] != "HTTPS" for listener in forwarding.values()):
        yield "a listener forwards without TLS"


def deployments(stacks: EcsStacks) -> Iterator[str]:
    """How a new version takes the place of an old one."""
    for service in SERVICES:
        rules = stacks.properties(service)["DeploymentConfiguration"]
        if rules["MinimumHealthyPercent"] < 100 or rules["MaximumPercent"] < 200:
            yield f"{service}: an old task is stopped before a new one is ready"
        if rules.get("DeploymentCircuitBreaker") != {"Enable": True, "Rollback": True}:
            yield f"{service} does not roll back a version that fails"
    resource = stacks.properties("ApiCapacity")["ResourceId"]
    if resource != {"Fn::Sub": "service/${Cluster}/${ApiService.Name}"}:
        yield f"ApiCapacity scales {resource}"
    if stacks.properties("ApiScaling")["ScalingTargetId"] != {"Ref": "ApiCapacity"}:
        yield "ApiScaling changes another capacity"


def network(stacks: EcsStacks) -> Iterator[str]:
    """Who reaches whom."""
    if stacks.properties("LoadBalancer")["Subnets"] != {"Ref": "PublicSubnets"}:
        yield "the load balancer is not in the public subnets"
    for service, group in (
        ("ApiService", "ApiSecurityGroup"),
        ("WorkerService", "WorkerSecurityGroup"),
    ):
        found = stacks.properties(service)["NetworkConfiguration"]["AwsvpcConfiguration"]
        if found["Subnets"] != {"Ref": "PrivateSubnets"}:
            yield f"{service} is not in the private subnets"
        if found["AssignPublicIp"] != "DISABLED":
            yield f"{service} has a public address"
        groups = choices(found["SecurityGroups"])
        if {"Fn::GetAtt": [group, "GroupId"]} not in groups:
            yield f"{service} is not in {group}"
        if {"Ref": "RedisClientSecurityGroup"} not in groups:
            yield f"{service} does not reach Redis"
    let_in = stacks.properties("ApiSecurityGroup")["SecurityGroupIngress"]
    sources = [rule.get("SourceSecurityGroupId") for rule in let_in]
    if sources != [{"Fn::GetAtt": ["LoadBalancerSecurityGroup", "GroupId"]}]:
        yield "others than the load balancer reach the API's tasks"
    if "SecurityGroupIngress" in stacks.properties("WorkerSecurityGroup"):
        yield "the worker, which nobody calls, can be reached"


def _listeners(stacks: EcsStacks) -> dict[str, Any]:
    found = of_type(stacks.services, "ElasticLoadBalancingV2::Listener")
    return {name: resource["Properties"] for name, resource in found.items()}
