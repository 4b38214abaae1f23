"""Images and videos on the wire: stored files are loaded, bounded, and never leave their folder."""

import base64
from pathlib import Path

import pytest

from synthmill.models.errors import RequestRejected
from synthmill.models.media import load_media
from synthmill.models.openai_api.body import chat_body
from synthmill.models.openai_api.dialect import Dialect
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Request
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, user
from synthmill.testing import ScriptedServer
from tests.models.prompts import Say
from tests.models.roles import role

PIXELS = b"\x89PNG pixels"
URL = "data:image/png;base64," + base64.b64encode(PIXELS).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dataset = tmp_path / "dataset"
    (dataset / "media").mkdir(parents=True)
    (dataset / "media" / "a.png").write_bytes(PIXELS)
    (dataset / "media" / "b.mp4").write_bytes(b"clip")
    return dataset


def shown(path: str) -> Message:
    return Message(role="user", content=(ImagePart(path=path, mime="image/png", detail="high"),))


def test_stored_files_are_sent_as_data_urls(folder: Path) -> None:
    frames = VideoPart(paths=("media/a.png",) * 2, mime="image/png", fps=2)
    clip = VideoPart(paths=("media/b.mp4",), mime="video/mp4")
    film = Message(role="user", content=(frames, clip, TextPart(text="What?")))
    messages = load_media([user("Hi"), shown("media/a.png"), shown(URL), film], folder)
    request = Request(model="m", messages=messages)
    body = chat_body(request, "m", Dialect())
    image = {"type": "image_url", "image_url": {"url": URL}}
    assert [message["content"] for message in body["messages"]] == [
        "Hi",
        [{"type": "image_url", "image_url": {"url": URL, "detail": "high"}}],
        [{"type": "image_url", "image_url": {"url": URL, "detail": "high"}}],
        [
            image,
            image,
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,Y2xpcA=="}},
            {"type": "text", "text": "What?"},
        ],
    ]


def test_files_that_were_not_loaded_are_not_sent() -> None:
    request = Request(model="m", messages=(shown("media/a.png"),))
    with pytest.raises(ValueError, match="is a stored file"):
        chat_body(request, "m", Dialect())


def test_files_of_a_request_are_bounded_together(folder: Path) -> None:
    most = 2 * len(PIXELS)
    assert load_media([shown("media/a.png")] * 2, folder, most)
    with pytest.raises(ValueError, match="exceed"):
        load_media([shown("media/a.png")] * 3, folder, most)
    with pytest.raises(ValueError, match="exceed"):
        load_media([shown(URL)], folder, len(URL) - 1)


def test_a_link_does_not_lead_out_of_the_folder(folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(b"secret")
    (folder / "media" / "link.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(ValueError, match="leads out"):
        load_media([shown("media/link.png")], folder)


class Describe(Say):
    """Shows a stored image."""

    def messages(self) -> tuple[Message, ...]:
        return (shown("media/a.png"), user(self.topic))


async def test_a_client_sends_stored_files_and_caches_answers_by_their_paths(
    folder: Path, tmp_path: Path
) -> None:
    with ScriptedServer() as server:
        specs, cache = {"default": role(server.url)}, tmp_path / "responses.sqlite"
        async with ModelRegistry(specs, cache=cache, media_dir=folder) as models:
            first = await models.client().generate(Describe(topic="x"), seed=1)
        (folder / "media" / "a.png").unlink()
        async with ModelRegistry(specs, cache=cache, media_dir=folder) as models:
            again = await models.client().generate(Describe(topic="x"), seed=1)
            with pytest.raises(RequestRejected, match=r"cannot be sent: .*a\.png"):
                await models.client().generate(Describe(topic="y"), seed=1)
        async with ModelRegistry(specs, cache=None) as models:
            with pytest.raises(RequestRejected, match="no dataset's folder"):
                await models.client().generate(Describe(topic="x"), seed=1)
    assert first.value == again.value
    (body,) = server.bodies
    assert body["messages"][0]["content"][0]["image_url"] == {"url": URL, "detail": "high"}
