// The AWS SDK for JavaScript, unmodified, against bedplate: HTTP/2 with prior knowledge over plain
// http (its default for this service), HTTP/1.1, TLS with a key pair and with a bearer key.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { after, before, describe, test } from "node:test";

import { BedrockClient, ListFoundationModelsCommand, ListInferenceProfilesCommand } from "@aws-sdk/client-bedrock";
import {
  ApplyGuardrailCommand, BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand,
  InvokeModelCommand, InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";

import { NOVA, record, startGateway } from "./gateway.mjs";

const messages = [{ role: "user", content: [{ text: "hello" }] }];
const novaBody = JSON.stringify({ schemaVersion: "messages-v1", messages });

function keyPair(gateway) {
  return { accessKeyId: gateway.access_key_id, secretAccessKey: gateway.secret_access_key };
}

// The reply's call id: the SDK keeps headers only in its middleware.
function keepHeaders(client) {
  client.seen = [];
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      client.seen.push(result.response.headers);
      return result;
    },
    { step: "deserialize", priority: "low" },
  );
  return client;
}

const transports = {
  "HTTP/2 over plain http": [undefined, (g) => ({ requestHandler: new NodeHttp2Handler(), credentials: keyPair(g) })],
  "HTTP/1.1 over plain http": [undefined, (g) => ({ requestHandler: new NodeHttpHandler(), credentials: keyPair(g) })],
  "HTTP/1.1 over TLS": [
    '[listen.tls]\nmode = "self-signed"\n',
    (g) => ({
      requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(g.ca_file) }) }),
      credentials: keyPair(g),
    }),
  ],
  "bearer key over TLS": [
    '[listen.tls]\nmode = "self-signed"\n',
    (g) => ({
      requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(g.ca_file) }) }),
      token: { token: g.bearer_token },
      authSchemePreference: ["httpBearerAuth"],
    }),
  ],
};

for (const [name, [tls, settings]] of Object.entries(transports)) {
  describe(name, () => {
    let gateway, client, catalogue;
    before(async () => {
      gateway = await startGateway(tls);
      const options = { region: "us-east-1", endpoint: gateway.data, maxAttempts: 1 };
      client = keepHeaders(new BedrockRuntimeClient({ ...options, ...settings(gateway) }));
      catalogue = new BedrockClient({ ...options, ...settings(gateway) });
    });
    after(async () => {
      client.destroy();
      catalogue.destroy();
      await gateway.stop();
    });

    test("converse", async () => {
      const reply = await client.send(new ConverseCommand({ modelId: NOVA, messages }));
      assert.ok(reply.output.message.content[0].text.length > 0);
      const { call } = await record(gateway, client.seen.at(-1)["x-bedplate-call-id"]);
      assert.equal(call.usage.output, reply.usage.outputTokens);
      assert.equal(call.ending, "answered");
    });

    test("converse stream", async () => {
      const reply = await client.send(new ConverseStreamCommand({ modelId: NOVA, messages }));
      const events = [];
      for await (const event of reply.stream) events.push(Object.keys(event)[0]);
      assert.equal(events[0], "messageStart");
      assert.deepEqual(events.slice(-2), ["messageStop", "metadata"]);
    });

    test("invoke model", async () => {
      const reply = await client.send(new InvokeModelCommand({ modelId: NOVA, contentType: "application/json", body: novaBody }));
      assert.ok(JSON.parse(reply.body.transformToString()).output.message.content[0].text);
    });

    test("invoke model with a stream", async () => {
      const reply = await client.send(new InvokeModelWithResponseStreamCommand({ modelId: NOVA, contentType: "application/json", body: novaBody }));
      let last;
      for await (const { chunk } of reply.body) last = JSON.parse(new TextDecoder().decode(chunk.bytes));
      assert.ok(last["amazon-bedrock-invocationMetrics"].outputTokenCount > 0);
    });

    test("an ARN as a model", async () => {
      const modelId = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0";
      const reply = await client.send(new ConverseCommand({ modelId, messages }));
      assert.equal(reply.stopReason, "end_turn");
    });

    test("count tokens", async () => {
      const reply = await client.send(new CountTokensCommand({ modelId: "amazon.nova-lite-v1:0", input: { converse: { messages } } }));
      assert.ok(reply.inputTokens > 0);
    });

    test("the catalogue", async () => {
      const models = await catalogue.send(new ListFoundationModelsCommand({}));
      assert.ok(models.modelSummaries.length > 10);
      const profiles = await catalogue.send(new ListInferenceProfilesCommand({ maxResults: 3 }));
      assert.equal(profiles.inferenceProfileSummaries.length, 3);
    });

    test("errors have their own classes", async () => {
      await assert.rejects(
        client.send(new ApplyGuardrailCommand({
          guardrailIdentifier: "grnosuchone0", guardrailVersion: "1", source: "INPUT", content: [{ text: { text: "x" } }],
        })),
        (e) => e.name === "ResourceNotFoundException" && e.$metadata.httpStatusCode === 404,
      );
    });

    test("faults of the upstream", async () => {
      for (const [fault, error] of [["throttle", "ThrottlingException"], ["unavailable", "ServiceUnavailableException"],
        ["access_denied", "AccessDeniedException"]]) {
        await assert.rejects(
          client.send(new ConverseCommand({ modelId: NOVA, messages, requestMetadata: { "sim-fault": fault } })),
          (e) => e.name === error,
          fault,
        );
      }
    });

    test("a stream that breaks off throws", async () => {
      const reply = await client.send(
        new ConverseStreamCommand({ modelId: NOVA, messages, requestMetadata: { "sim-fault": "truncated_frame" } }));
      await assert.rejects(async () => {
        for await (const _ of reply.stream);
      });
    });

    test("many calls at once", async () => {
      const replies = await Promise.all(Array.from({ length: 20 }, (_, n) =>
        client.send(new ConverseCommand({ modelId: NOVA, messages: [{ role: "user", content: [{ text: `call ${n}` }] }] }))));
      assert.equal(replies.length, 20);
    });
  });
}

test("a wrong secret is refused and not retried", async () => {
  const gateway = await startGateway();
  const client = new BedrockRuntimeClient({
    region: "us-east-1", endpoint: gateway.data, maxAttempts: 3,
    credentials: { accessKeyId: gateway.access_key_id, secretAccessKey: "wrong" },
  });
  try {
    await assert.rejects(
      client.send(new ConverseCommand({ modelId: NOVA, messages })),
      (e) => e.name === "InvalidSignatureException" && e.$metadata.attempts === 1,
    );
  } finally {
    client.destroy();
    await gateway.stop();
  }
});

test("the SDK waits as long as a throttle says", async () => {
  const gateway = await startGateway(
    '[[provider]]\nname = "sim"\nkind = "sim"\n\n[[sim.fault]]\nkind = "throttle"\nfirst = 1\nretry_after = "600ms"\n');
  const client = new BedrockRuntimeClient({
    region: "us-east-1", endpoint: gateway.data, maxAttempts: 2, credentials: keyPair(gateway),
  });
  try {
    const began = performance.now();
    const reply = await client.send(new ConverseCommand({ modelId: NOVA, messages }));
    assert.equal(reply.$metadata.attempts, 2);
    assert.ok(performance.now() - began >= 600);
  } finally {
    client.destroy();
    await gateway.stop();
  }
});
