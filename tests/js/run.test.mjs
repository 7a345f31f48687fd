// `bedplate run -- node app.mjs`: an application that knows nothing of bedplate, over TLS and HTTP/2,
// with the bearer key that the environment gives it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { NOVA, binary } from "./gateway.mjs";

const app = `
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
const client = new BedrockRuntimeClient({ region: "us-east-1" });
const messages = [{ role: "user", content: [{ text: "hello" }] }];
const reply = await client.send(new ConverseCommand({ modelId: "${NOVA}", messages }));
console.log("said:", reply.output.message.content[0].text);
const { stream } = await client.send(new ConverseStreamCommand({ modelId: "${NOVA}", messages }));
let events = 0;
for await (const _ of stream) events++;
console.log("events:", events > 3);
client.destroy();
`;

test("an untouched application runs through bedplate", () => {
  const project = mkdtempSync(join(tmpdir(), "bedplate-js-run-"));
  try {
    const done = spawnSync(
      binary(),
      ["run", "--project", project, "--", process.execPath, "--input-type=module", "-e", app],
      { encoding: "utf8", timeout: 60_000, env: { PATH: process.env.PATH, HOME: project, AWS_EC2_METADATA_DISABLED: "true" } },
    );
    assert.equal(done.status, 0, done.stdout + done.stderr);
    assert.match(done.stdout, /said: \S/);
    assert.match(done.stdout, /events: true/);
    assert.match(done.stderr, /calls/i);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
