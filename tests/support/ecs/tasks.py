"""How the two tasks of `deploy/ecs/` fit their images, roles, secrets and logs.

Each function yields a sentence for each thing that does not fit; neither cfn-lint nor moto looks.
"""

import re
from collections.abc import Iterator

from shared.settings import Settings
from tests.support.cloudformation import choices, of_type
from tests.support.ecs.stacks import CONTAINERS, SERVICES, EcsStacks


def containers(stacks: EcsStacks) -> Iterator[str]:
    """What runs in the tasks."""
    for task, main in CONTAINERS.items():
        properties = stacks.properties(task)
        names = [container["Name"] for container in properties["ContainerDefinitions"]]
        if names[-1] != main:
            yield f"{task} has no container {main}, or not as the last: {names}"
        volumes = {volume["Name"] for volume in properties["Volumes"]}
        for container in properties["ContainerDefinitions"]:
            where = f"{task}, {container['Name']}"
            if container["Essential"] is not (container["Name"] == main):
                yield f"{where}: the task ends with another container than {main}"
            if container["Image"] != {"Ref": f"{main.capitalize()}Image"}:
                yield f"{where} has another image: {container['Image']}"
            if container.get("ReadonlyRootFilesystem") is not True:
                yield f"{where} can write to its root"
            mounts = {m["ContainerPath"]: m["SourceVolume"] for m in container["MountPoints"]}
            if set(mounts) != {"/tmp"} or not set(mounts.values()) <= volumes:
                yield f"{where} mounts {mounts} of the volumes {volumes}"
            for needed in container.get("DependsOn", []):
                if needed["ContainerName"] not in names:
                    yield f"{where} waits for {needed['ContainerName']}, which is not there"
        if stacks.main(task).get("User") != "10001:10001":
            yield f"{task}, {main} does not run as the images' user"


def tasks(stacks: EcsStacks) -> Iterator[str]:
    """What the tasks run on, log to and are told."""
    for task in CONTAINERS:
        properties = stacks.properties(task)
        if properties.get("NetworkMode") != "awsvpc":
            yield f"{task} has no address of its own, which Fargate asks for"
        if properties.get("RequiresCompatibilities") != ["FARGATE"]:
            yield f"{task} is not made for Fargate"
        group = stacks.main(task)["LogConfiguration"]["Options"]["awslogs-group"].get("Ref")
        logs = stacks.services["Resources"].get(group, {})
        if logs.get("Type") != "AWS::Logs::LogGroup":
            yield f"{task} logs to {group}, which is not a log group of the template"
        elif logs.get("Condition") != stacks.services["Resources"][task].get("Condition"):
            yield f"{task} logs to {group}, which is not there whenever the task is"
        named = [*stacks.main(task)["Environment"], *stacks.main(task)["Secrets"]]
        for variable in choices(named):
            if not is_known(variable["Name"]):
                yield f"{task} sets {variable['Name']}, which nobody reads"
    for service, task in SERVICES.items():
        if stacks.properties(service)["TaskDefinition"] != {"Ref": task}:
            yield f"{service} runs another task than {task}"
        if stacks.properties(service).get("LaunchType") != "FARGATE":
            yield f"{service} does not run on Fargate"


def roles(stacks: EcsStacks) -> Iterator[str]:
    """What the tasks may do."""
    for task, role, policy in (
        ("ApiTask", "ApiRole", "ServePolicy"),
        ("WorkerTask", "WorkerRole", "PublishPolicy"),
    ):
        if stacks.properties(task)["TaskRoleArn"] != {"Ref": f"{role}Arn"}:
            yield f"{task} has another role than {role}"
        if stacks.data["Outputs"].get(f"{role}Arn", {}).get("Value") != {
            "Fn::GetAtt": [role, "Arn"]
        }:
            yield f"the output {role}Arn is of another role"
        rights = stacks.data["Resources"][role]["Properties"]["ManagedPolicyArns"]
        if rights != [{"Ref": policy}]:
            yield f"{role} has other rights than {policy}"
        if stacks.properties(task)["ExecutionRoleArn"] != {"Fn::GetAtt": ["ExecutionRole", "Arn"]}:
            yield f"{task} is started with another role than ExecutionRole"
    for template in (stacks.data, stacks.services):
        for name, resource in of_type(template, "IAM::Role").items():
            trusted = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            if [s["Principal"] for s in trusted] != [{"Service": "ecs-tasks.amazonaws.com"}]:
                yield f"{name} can be taken by others than tasks of ECS"


def secrets(stacks: EcsStacks) -> Iterator[str]:
    """What the tasks are told without showing it."""
    statements = stacks.properties("ExecutionRole")["Policies"][0]["PolicyDocument"]["Statement"]
    readable = [secret for statement in statements for secret in choices(statement["Resource"])]
    for task in CONTAINERS:
        for variable in choices(stacks.main(task)["Secrets"]):
            if variable["ValueFrom"] not in readable:
                yield f"{task}: ExecutionRole may not read {variable['Name']}"
        for variable in choices(stacks.main(task)["Environment"]):
            if re.search("KEY$|PASSWORD|SECRET", variable["Name"]):
                yield f"{task} shows {variable['Name']} to whoever may look at the task"
        secret = [v["ValueFrom"] for v in stacks.main(task)["Secrets"] if "ValueFrom" in v]
        if {"Ref": "SigningKeySecretArn"} not in secret:
            yield f"{task} has no signing key, and the other has one"
    for output, resource in (
        ("ApiKeySecretArn", "ApiKey"),
        ("SigningKeySecretArn", "SigningKey"),
    ):
        if stacks.data["Outputs"].get(output, {}).get("Value") != {"Ref": resource}:
            yield f"the output {output} is another secret"


def is_known(variable: str) -> bool:
    """Return whether somebody reads a variable: a setting of ours, or the client of S3."""
    before, _, name = variable.partition("LIFEBOAT_")
    return variable == "AWS_REGION" or (not before and name.lower() in Settings.model_fields)
