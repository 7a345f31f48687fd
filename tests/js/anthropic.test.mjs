// Anthropic's own SDK for JavaScript, unmodified, through the Anthropic door, and its Bedrock class
// through the Bedrock door.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";
import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

import { BREAKS, CITY, CONFIG, HAIKU, PNG, STALLS, THROTTLED_ONCE, WEATHER } from "./doors.mjs";
import { NOVA, record, startGateway } from "./gateway.mjs";

const TOOL = { name: "get_weather", description: "The weather of a city", input_schema: WEATHER };
const QUESTION = [{ role: "user", content: "What is the weather of the city Paris?" }];
const says = (text) => [{ role: "user", content: `Say ${text}` }];
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

let gateway, client;
const connect = (more) =>
  new Anthropic({ apiKey: gateway.bearer_token, baseURL: gateway.data, maxRetries: 0, ...more });

before(async () => {
  gateway = await startGateway(CONFIG);
  client = connect();
});
after(() => gateway.stop());

for (const model of ["chat", "claude", "claude-haiku-4-5", NOVA, HAIKU]) {
  test(`a question to ${model}`, async () => {
    const { data: answer, response } = await client.messages
      .create({ model, system: "You repeat.", messages: says("hello there"), max_tokens: 100 })
      .withResponse();
    assert.equal(answer.type, "message");
    // Claude's bytes pass as they are, and it calls itself what it is called
    assert.ok(answer.model === model || /haiku/.test(answer.model), answer.model);
    assert.match(textOf(answer), /hello there/i);
    assert.equal(answer.stop_reason, "end_turn");
    const { call } = await record(gateway, response.headers.get("x-bedplate-call-id"));
    assert.equal(call.dialect, "anthropic");
    assert.equal(call.usage.output, answer.usage.output_tokens);
    assert.equal(answer._request_id, response.headers.get("x-bedplate-call-id"));
  });
}

for (const model of ["chat", "claude"]) {
  describe(`to ${model}`, () => {
    test("a stream is put together by the SDK", async () => {
      const asked = { model, messages: says("one two three four"), max_tokens: 100 };
      const whole = await client.messages.create(asked);
      const stream = client.messages.stream(asked);
      const pieces = [];
      stream.on("text", (piece) => pieces.push(piece));
      const final = await stream.finalMessage();
      assert.equal(pieces.join(""), textOf(whole));
      assert.deepEqual(final.content, whole.content);
      assert.equal(final.stop_reason, "end_turn");
      assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
      assert.equal(final.usage.input_tokens, whole.usage.input_tokens);
    });

    test("tools in two turns", async () => {
      const messages = [...QUESTION];
      const first = await client.messages.create({ model, messages, tools: [TOOL], max_tokens: 200 });
      assert.equal(first.stop_reason, "tool_use");
      const [use] = first.content.filter((block) => block.type === "tool_use");
      assert.equal(use.name, "get_weather");
      assert.ok("city" in use.input);
      messages.push({ role: "assistant", content: first.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "Sunny, 21 degrees." }] });
      const second = await client.messages.create({ model, messages, tools: [TOOL], max_tokens: 200 });
      assert.equal(second.stop_reason, "end_turn");
      assert.match(textOf(second), /21/);
    });

    test("a streamed tool use has its whole input", async () => {
      const stream = client.messages.stream({ model, messages: QUESTION, tools: [TOOL], max_tokens: 200 });
      const pieces = [];
      stream.on("inputJson", (piece) => pieces.push(piece));
      const final = await stream.finalMessage();
      const [use] = final.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(JSON.parse(pieces.join("")), use.input);
      assert.ok("city" in use.input);
    });

    test("the tool runner goes from call to answer by itself", async () => {
      const asked = [];
      for (const stream of [false, true]) {
        const final = await client.beta.messages.toolRunner({
          model, messages: QUESTION, max_tokens: 200, stream,
          tools: [{ ...TOOL, parse: (input) => input, run: ({ city }) => { asked.push(city); return "Sunny, 21 degrees."; } }],
        });
        assert.match(textOf(final), /21/);
      }
      assert.equal(asked.length, 2);
      assert.ok(asked.every((city) => typeof city === "string" && city));
    });

    test("an image as bytes", async () => {
      const answer = await client.messages.create({ model, max_tokens: 50, messages: [{ role: "user", content: [
        { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }, { type: "text", text: "Say seen" }] }] });
      assert.match(textOf(answer), /seen/i);
    });

    test("a schema holds the answer, whole and streamed", async () => {
      const asked = {
        model, max_tokens: 200, messages: [{ role: "user", content: "Which city is it? The city is Lisbon." }],
        output_config: { format: jsonSchemaOutputFormat(CITY) },
      };
      const answer = await client.messages.parse(asked);
      assert.deepEqual(Object.keys(answer.parsed_output), ["city"]);
      const final = await client.messages.stream(asked).finalMessage();
      assert.deepEqual(final.parsed_output, answer.parsed_output);
    });
  });
}

test("thinking has a signature, streamed too", async () => {
  const asked = { model: "claude", max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 }, messages: says("hi") };
  for (const answer of [await client.messages.create(asked), await client.messages.stream(asked).finalMessage()]) {
    const [thinking] = answer.content.filter((block) => block.type === "thinking");
    assert.ok(thinking.thinking && thinking.signature);
  }
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("chat") && ids.includes("claude-haiku-4-5"), ids.join());
  assert.equal((await client.models.retrieve("chat")).id, "chat");
});

test("errors are the SDK's own classes", async () => {
  const ask = (asked, by = client) => by.messages.create({ model: "chat", max_tokens: 9, messages: says("hi"), ...asked });
  await assert.rejects(ask({}, connect({ apiKey: "bp-nobody" })), Anthropic.AuthenticationError);
  await assert.rejects(ask({ model: "no-such-alias" }), (e) =>
    e instanceof Anthropic.NotFoundError && e.headers.get("x-bedplate-code") === "BP2001");
  await assert.rejects(ask({ messages: [{ role: "user", content: [{ type: "text" }] }] }), (e) =>
    e instanceof Anthropic.BadRequestError && e.message.includes("messages[0].content[0].text") &&
    e.requestID === e.headers.get("x-bedplate-call-id"));
  await assert.rejects(
    ask({ messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "https://example.com/a.png" } }] }] }),
    (e) => e instanceof Anthropic.BadRequestError && /fetches nothing/.test(e.message));
});

test("a throttle is waited for as long as it says", async () => {
  const began = performance.now();
  const answer = await connect({ maxRetries: 2 }).messages.create({ model: THROTTLED_ONCE, messages: says("hi"), max_tokens: 20 });
  assert.ok(textOf(answer));
  assert.ok(performance.now() - began >= 600);
});

test("a stream that breaks off throws", async () => {
  const stream = client.messages.stream({ model: BREAKS, max_tokens: 500, messages: says("a ".repeat(50)) });
  let text = "";
  stream.on("text", (piece) => (text += piece));
  await assert.rejects(stream.finalMessage(), Anthropic.APIError);
  assert.ok(text, "what came before the error was given");
});

test("a call that is aborted is settled", async () => {
  const leave = new AbortController();
  const { data: stream, response } = await client.messages
    .create({ model: STALLS, max_tokens: 500, messages: says("a ".repeat(100)), stream: true }, { signal: leave.signal })
    .withResponse();
  for await (const event of stream) if (event.type === "content_block_delta") leave.abort();
  const { call } = await record(gateway, response.headers.get("x-bedplate-call-id"));
  assert.equal(call.ending, "abandoned");
  assert.ok(call.usage.output > 0);
});

describe("the Bedrock class", () => {
  const classes = {
    "by signature": () => ({ apiKey: null, awsAccessKey: gateway.access_key_id, awsSecretKey: gateway.secret_access_key }),
    "by bearer key": () => ({ apiKey: gateway.bearer_token }),
  };
  for (const [how, settings] of Object.entries(classes)) {
    test(`${how}: text, a stream, tools`, async () => {
      const bedrock = new AnthropicBedrock({ ...settings(), awsRegion: "us-east-1", baseURL: gateway.data, maxRetries: 0 });
      const asked = { model: HAIKU, max_tokens: 100, messages: says("hello there") };
      assert.match(textOf(await bedrock.messages.create(asked)), /hello there/i);
      const events = [];
      for await (const event of await bedrock.messages.create({ ...asked, stream: true })) events.push(event);
      assert.equal(events[0].type, "message_start");
      assert.equal(events.at(-1).type, "message_stop");
      const messages = [...QUESTION];
      const first = await bedrock.messages.create({ model: HAIKU, max_tokens: 200, tools: [TOOL], messages });
      const [use] = first.content.filter((block) => block.type === "tool_use");
      messages.push({ role: "assistant", content: first.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "Sunny, 21 degrees." }] });
      assert.match(textOf(await bedrock.messages.create({ model: HAIKU, max_tokens: 200, tools: [TOOL], messages })), /21/);
    });
  }

  test("errors have their own classes", async () => {
    const bedrock = new AnthropicBedrock({
      apiKey: null, awsAccessKey: gateway.access_key_id, awsSecretKey: "wrong", awsRegion: "us-east-1", baseURL: gateway.data, maxRetries: 0 });
    await assert.rejects(bedrock.messages.create({ model: HAIKU, max_tokens: 9, messages: says("hi") }),
      Anthropic.PermissionDeniedError);
  });
});
