"""The compose file for people without a checkout says what that of the checkout says."""

from tests.support.processes import ROOT

_IMAGE = "${LIFEBOAT_IMAGE:-lifeboat}-%s:${LIFEBOAT_IMAGE_TAG:-latest}"
_IMAGE_WITHOUT = (
    "${LIFEBOAT_IMAGE:?name the images, such as ghcr.io/you/lifeboat}-%s"
    ":${LIFEBOAT_IMAGE_TAG:?name their tag, such as 1.4.2}"
)

# From the first text up to the second one: what needs the checkout.
_LEFT_OUT = [
    ("# `make` sets the version", "services:\n"),
    ("    build:\n", "    image: ${LIFEBOAT_IMAGE:-lifeboat}-worker"),
    ("      # The definition. In the long form", "    environment:\n      LIFEBOAT_MODEL:"),
    ("    build:\n", "    image: ${LIFEBOAT_IMAGE:-lifeboat}-api"),
    ("  # Started only by `docker compose --profile edge up`", "networks:\n"),
    ("  bucket:\n", "\nvolumes:"),
    ("  bucket-data:\n", "  models:\n"),
    ("  prometheus-data:\n", ""),
]

_OTHERWISE = [
    (_IMAGE % "worker", _IMAGE_WITHOUT % "worker"),
    (_IMAGE % "api", _IMAGE_WITHOUT % "api"),
    (
        "      LIFEBOAT_MODEL: /model\n",
        "      # The definition in the image. One of your own: docs/deploy/images.md.\n"
        "      LIFEBOAT_MODEL: /app/examples/titanic\n",
    ),
    ("  api: &api\n", "  api:\n"),
    (
        "    networks:\n      redis:\n      # One name for all API containers.\n"
        "      published: {aliases: [apis]}\n",
        "    networks: [redis, published]\n",
    ),
]


def _cut(text: str, start: str, end: str) -> str:
    first = text.index(start)
    return text[:first] + text[text.index(end, first) if end else len(text) :]


def test_what_is_left_is_the_same_but_for_the_images_and_the_definition() -> None:
    expected = (ROOT / "docker-compose.yml").read_text()
    for start, end in _LEFT_OUT:
        expected = _cut(expected, start, end)
    for here, there in _OTHERWISE:
        assert here in expected, here
        expected = expected.replace(here, there)
    own = (ROOT / "deploy" / "compose" / "docker-compose.yml").read_text()
    assert own[own.index("name:") :] == expected
