"""LangChain's AWS classes, unmodified, through the Bedrock door."""

import pytest
from botocore.exceptions import ClientError
from langchain_aws import BedrockEmbeddings, ChatBedrock, ChatBedrockConverse
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from doors import CONFIG, PNG
from gateway import HAIKU, NOVA, Gateway

#: The class and what it is told: Converse with an alias (LangChain asks what stands behind a name it does not know),
#: Converse with a model's id, and InvokeModel bodies of Claude.
CHATS = {
    "converse, an alias": (ChatBedrockConverse, {"model": "chat", "base_model": "amazon.nova-lite-v1:0", "provider": "amazon"}),
    "converse, Nova": (ChatBedrockConverse, {"model": NOVA}),
    "converse, Claude": (ChatBedrockConverse, {"model": HAIKU}),
    "invoke, Claude": (ChatBedrock, {"model": HAIKU}),
}


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny, 21 degrees in {city}."


class Place(BaseModel):
    """A place."""

    city: str


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("langchain"), CONFIG) as gateway:
        yield gateway


def keys(gateway):
    return {"region_name": "us-east-1", "endpoint_url": gateway.data,
            "aws_access_key_id": gateway.ready["access_key_id"],
            "aws_secret_access_key": gateway.ready["secret_access_key"]}


@pytest.fixture(params=CHATS)
def chat(gateway, request):
    kind, told = CHATS[request.param]
    return kind(**keys(gateway), max_tokens=200, **told)


def text_of(message):
    return message.content if isinstance(message.content, str) else "".join(
        block if isinstance(block, str) else block.get("text", "") for block in message.content)


def test_text_and_usage(gateway, chat):
    answer = chat.invoke([SystemMessage("You repeat."), HumanMessage("Say hello there")])
    assert "hello there" in text_of(answer).lower()
    assert answer.usage_metadata["input_tokens"] > 0 and answer.usage_metadata["output_tokens"] > 0


def test_a_stream_is_the_answer_in_pieces(chat):
    asked = "Say " + "one two three four " * 20
    pieces = list(chat.stream(asked))
    assert len([piece for piece in pieces if text_of(piece)]) > 1
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    answer = chat.invoke(asked)
    assert text_of(whole) == text_of(answer)
    assert whole.usage_metadata["output_tokens"] == answer.usage_metadata["output_tokens"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_tools_are_used_in_a_conversation_of_several_turns(chat, streamed):
    bound = chat.bind_tools([get_weather])

    def ask(messages):
        if not streamed:
            return bound.invoke(messages)
        first, *rest = bound.stream(messages)
        for piece in rest:
            first += piece
        return first

    messages = [SystemMessage("You answer questions."), HumanMessage("What is the weather of the city Paris?")]
    asking = ask(messages)
    [call] = asking.tool_calls
    assert call["name"] == "get_weather" and call["args"]["city"]
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    messages += [asking, result]
    answer = ask(messages)
    assert not answer.tool_calls and "21" in text_of(answer)
    messages += [AIMessage(text_of(answer)), HumanMessage("Say goodbye then")]
    assert "goodbye then" in text_of(ask(messages)).lower()


def test_structured_output(chat):
    place = chat.with_structured_output(Place).invoke("Which city is it? The city is Lisbon.")
    assert isinstance(place, Place) and place.city


def test_an_image_goes_as_bytes(chat):
    answer = chat.invoke([HumanMessage([
        {"type": "image", "base64": PNG, "mime_type": "image/png"}, {"type": "text", "text": "Say seen"}])])
    assert "seen" in text_of(answer).lower()


@pytest.mark.parametrize("model, dimensions", [("amazon.titan-embed-text-v2:0", 256), ("cohere.embed-english-v3", None)])
def test_embeddings(gateway, model, dimensions):
    embeddings = BedrockEmbeddings(**keys(gateway), model_id=model, **({"dimensions": dimensions} if dimensions else {}))
    one, two = embeddings.embed_documents(["parcels arrive on Monday", "the sea is blue"])
    assert len(one) == len(two) == (dimensions or 1024) and one != two
    assert len(embeddings.embed_query("when do parcels arrive?")) == len(one)


def test_errors_are_those_of_boto3(gateway):
    wrong = keys(gateway) | {"aws_secret_access_key": "wrong"}
    with pytest.raises(ClientError) as refused:
        ChatBedrockConverse(**wrong, model=NOVA).invoke("hello")
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_calls_are_recorded_as_any(gateway):
    answer = ChatBedrockConverse(**keys(gateway), model=NOVA).invoke("hello")
    row = gateway.record(answer.response_metadata["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    assert row["call"]["dialect"] == "bedrock" and row["call"]["usage"]["output"] == answer.usage_metadata["output_tokens"]
