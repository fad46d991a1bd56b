"""What lies below the services of `deploy/ecs/`, and what the three templates pass on.

Each function yields a sentence for each thing that does not fit; neither cfn-lint nor moto looks.
"""

from collections.abc import Iterator

from tests.support.ecs.stacks import EcsStacks


def redis(stacks: EcsStacks) -> Iterator[str]:
    """Whether jobs are kept, and kept secret."""
    resources = stacks.redis["Resources"]
    server = resources["Server"]["Properties"]
    family = resources["ParameterGroup"]["Properties"]["CacheParameterGroupFamily"]
    if family != f"{server['Engine']}{str(server['EngineVersion']).partition('.')[0]}":
        yield f"{server['Engine']} {server['EngineVersion']} has no parameters of {family}"
    if resources["ParameterGroup"]["Properties"]["Properties"] != {
        "maxmemory-policy": "noeviction",
        "notify-keyspace-events": "K$",
    }:
        yield "the server may throw jobs away, or tells nobody of a new version"
    rules = resources["ServerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    if {(rule["FromPort"], rule["ToPort"]) for rule in rules} != {(server["Port"],) * 2}:
        yield "the server's security group lets in to another port"
    if [r["SourceSecurityGroupId"] for r in rules] != [
        {"Fn::GetAtt": ["ClientSecurityGroup", "GroupId"]}
    ]:
        yield "others than the services reach the server"
    if server.get("TransitEncryptionEnabled") is not True or "AuthToken" not in server:
        yield "the server is asked without TLS, or without a password"
    url = resources["Url"]["Properties"]["SecretString"]["Fn::Sub"]
    if not url.startswith("rediss://:{{resolve:secretsmanager:${Password}:SecretString}}@"):
        yield "the URL is without TLS, or without the password"
    password = resources["Password"]["Properties"]["GenerateSecretString"]
    if not password.get("ExcludePunctuation"):
        yield "the password may have characters that mean something in a URL"


def bucket(stacks: EcsStacks) -> Iterator[str]:
    """Whether versions are kept."""
    bucket = stacks.data["Resources"]["Bucket"]
    properties = bucket["Properties"]
    if properties.get("VersioningConfiguration") != {"Status": "Enabled"}:
        yield "what is deleted from the bucket is gone"
    if "BucketEncryption" not in properties:
        yield "the bucket is not encrypted"
    blocked = properties.get("PublicAccessBlockConfiguration", {})
    if len(blocked) != 4 or not all(blocked.values()):
        yield "the bucket can be made public"
    if {bucket.get("DeletionPolicy"), bucket.get("UpdateReplacePolicy")} != {"Retain"}:
        yield "the versions are deleted with the stack"


def passing_on(stacks: EcsStacks) -> Iterator[str]:
    """Whether each parameter has an output, or is said to be whoever deploys."""
    groups = stacks.services["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    of_data, of_redis, own = (set(group["Parameters"]) for group in groups)
    parameters = stacks.services["Parameters"]
    for name in of_data - set(stacks.data["Outputs"]):
        yield f"data.yaml has no output {name}, which services.yaml takes from there"
    for name in of_redis ^ set(stacks.redis["Outputs"]):
        yield f"{name} is in one of redis.yaml's outputs and services.yaml's parameters alone"
    for name in of_redis:
        if parameters[name].get("Default") != "":
            yield f"services.yaml cannot be made without Redis: {name} has no empty default"
    needed = {name for name, parameter in parameters.items() if "Default" not in parameter}
    for name in needed - of_data - own:
        yield f"services.yaml needs {name}, and does not say where from"
    for name in (of_data | of_redis | own) - set(parameters):
        yield f"services.yaml lists {name}, which is not a parameter"
    models = stacks.data["Outputs"].get("Models", {}).get("Value")
    if models != {"Fn::Sub": "s3://${Bucket}/${Prefix}"}:
        yield f"the output Models is not the address of the versions: {models}"
