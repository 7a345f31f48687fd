// OpenAI's own SDK for JavaScript, unmodified, through the OpenAI door.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import OpenAI from "openai";

import { BREAKS, CITY, CONFIG, HAIKU, PNG, STALLS, THROTTLED_ONCE, WEATHER } from "./doors.mjs";
import { NOVA, record, startGateway } from "./gateway.mjs";

const TOOL = { type: "function", function: { name: "get_weather", description: "The weather of a city", parameters: WEATHER } };
const QUESTION = [{ role: "user", content: "What is the weather of the city Paris?" }];
const says = (text) => [{ role: "system", content: "You repeat." }, { role: "user", content: `Say ${text}` }];

let gateway, client;
const connect = (more) =>
  new OpenAI({ apiKey: gateway.bearer_token, baseURL: `${gateway.data}/v1`, maxRetries: 0, ...more });

before(async () => {
  gateway = await startGateway(CONFIG);
  client = connect();
});
after(() => gateway.stop());

for (const model of ["chat", "claude", "gpt-4o-mini", NOVA, HAIKU]) {
  test(`a question to ${model}`, async () => {
    const { data: answer, response } = await client.chat.completions
      .create({ model, messages: says("hello there"), max_tokens: 100 })
      .withResponse();
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.model, model);
    assert.match(answer.choices[0].message.content, /hello there/i);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    const { call } = await record(gateway, response.headers.get("x-bedplate-call-id"));
    assert.equal(call.dialect, "openai");
    assert.equal(call.usage.output, answer.usage.completion_tokens);
    assert.equal(answer._request_id, response.headers.get("x-bedplate-call-id"));
  });
}

for (const model of ["chat", "claude"]) {
  describe(`to ${model}`, () => {
    test("a stream has role first, usage last and the same text", async () => {
      const asked = { model, messages: says("one two three four"), max_tokens: 100 };
      const whole = await client.chat.completions.create(asked);
      const chunks = [];
      for await (const chunk of await client.chat.completions.create({
        ...asked, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
      assert.equal(chunks[0].choices[0].delta.role, "assistant");
      const text = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
      assert.equal(text, whole.choices[0].message.content);
      assert.deepEqual(chunks.at(-1).choices, []);
      assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
      assert.ok(chunks.slice(0, -1).every((c) => c.usage === null));
      assert.equal(new Set(chunks.map((c) => c.id)).size, 1);
    });

    test("tools in two turns", async () => {
      const messages = [...QUESTION];
      const first = await client.chat.completions.create({ model, messages, tools: [TOOL], max_tokens: 200 });
      assert.equal(first.choices[0].finish_reason, "tool_calls");
      const [call] = first.choices[0].message.tool_calls;
      assert.equal(call.function.name, "get_weather");
      assert.ok("city" in JSON.parse(call.function.arguments));
      messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "Sunny, 21 degrees." });
      const second = await client.chat.completions.create({ model, messages, tools: [TOOL], max_tokens: 200 });
      assert.equal(second.choices[0].finish_reason, "stop");
      assert.match(second.choices[0].message.content, /21/);
    });

    test("the stream helper puts text and tool calls together", async () => {
      const stream = client.chat.completions.stream({ model, messages: QUESTION, tools: [TOOL], max_tokens: 200 });
      const done = [];
      stream.on("tool_calls.function.arguments.done", (call) => done.push(call));
      const final = await stream.finalChatCompletion();
      const [call] = final.choices[0].message.tool_calls;
      assert.equal(call.function.name, "get_weather");
      assert.equal(done.length, 1);
      assert.equal(done[0].arguments, call.function.arguments);
      assert.ok("city" in JSON.parse(call.function.arguments));
      assert.equal(final.choices[0].finish_reason, "tool_calls");
      const text = await client.chat.completions.stream({ model, messages: says("one two"), max_tokens: 50 }).finalContent();
      assert.match(text, /one two/i);
    });

    test("the tool runner goes from call to answer by itself", async () => {
      const asked = [];
      for (const stream of [false, true]) {
        const runner = client.chat.completions.runTools({
          model, messages: QUESTION, max_tokens: 200, stream,
          tools: [{ type: "function", function: {
            ...TOOL.function, parse: JSON.parse,
            function: ({ city }) => { asked.push(city); return "Sunny, 21 degrees."; } } }],
        });
        assert.match(await runner.finalContent(), /21/);
      }
      assert.equal(asked.length, 2);
      assert.ok(asked.every((city) => typeof city === "string" && city));
    });

    test("an image as bytes", async () => {
      const answer = await client.chat.completions.create({ model, max_tokens: 50, messages: [{ role: "user", content: [
        { type: "text", text: "Say seen" }, { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }] }] });
      assert.match(answer.choices[0].message.content, /seen/i);
    });

    test("a schema holds the answer, whole and streamed", async () => {
      const asked = {
        model, max_tokens: 200, messages: [{ role: "user", content: "Which city is it? The city is Lisbon." }],
        response_format: { type: "json_schema", json_schema: { name: "place", schema: CITY, strict: true } },
      };
      const answer = await client.chat.completions.parse(asked);
      assert.deepEqual(Object.keys(answer.choices[0].message.parsed), ["city"]);
      const final = await client.chat.completions.stream(asked).finalChatCompletion();
      assert.deepEqual(final.choices[0].message.parsed, answer.choices[0].message.parsed);
    });
  });
}

test("models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("chat") && ids.includes("claude"), ids.join());
  assert.equal((await client.models.retrieve("chat")).id, "chat");
});

test("errors are the SDK's own classes", async () => {
  const ask = (asked, by = client) => by.chat.completions.create({ model: "chat", messages: says("hi"), ...asked });
  await assert.rejects(ask({}, connect({ apiKey: "bp-nobody" })), OpenAI.AuthenticationError);
  await assert.rejects(ask({ model: "no-such-alias" }), (e) =>
    e instanceof OpenAI.NotFoundError && e.code === "model_not_found" && e.headers.get("x-bedplate-code") === "BP2001");
  await assert.rejects(ask({ messages: [{ role: "user", content: [{ type: "text" }] }] }), (e) =>
    e instanceof OpenAI.BadRequestError && e.param === "messages[0].content[0].text");
  await assert.rejects(
    ask({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] }] }),
    (e) => e instanceof OpenAI.BadRequestError && /data URL/.test(e.message));
  await assert.rejects(client.responses.create({ model: "chat", input: "hi" }), OpenAI.NotFoundError);
});

test("a throttle is waited for as long as it says", async () => {
  const asked = { model: THROTTLED_ONCE, messages: says("hi"), max_tokens: 20 };
  const began = performance.now();
  const answer = await connect({ maxRetries: 2 }).chat.completions.create(asked);
  assert.ok(answer.choices[0].message.content);
  assert.ok(performance.now() - began >= 600);
});

test("a stream that breaks off throws", async () => {
  const stream = await client.chat.completions.create({ model: BREAKS, messages: says("a ".repeat(50)), stream: true });
  const chunks = [];
  await assert.rejects(async () => {
    for await (const chunk of stream) chunks.push(chunk);
  }, OpenAI.APIError);
  assert.ok(chunks.length > 0, "what came before the error was given");
});

test("a call that is aborted is settled", async () => {
  const leave = new AbortController();
  const { data: stream, response } = await client.chat.completions
    .create({ model: STALLS, messages: says("a ".repeat(100)), stream: true }, { signal: leave.signal })
    .withResponse();
  for await (const _ of stream) leave.abort();
  const { call } = await record(gateway, response.headers.get("x-bedplate-call-id"));
  assert.equal(call.ending, "abandoned");
  assert.ok(call.usage.output > 0);
});
