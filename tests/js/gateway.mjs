// Starts the built bedplate on ports of its own with a temporary project, and stops it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const NOVA = "us.amazon.nova-lite-v1:0";

export function binary() {
  const target = process.env.CARGO_TARGET_DIR;
  if (process.env.BEDPLATE_BIN) return process.env.BEDPLATE_BIN;
  if (!target) throw new Error("neither BEDPLATE_BIN nor CARGO_TARGET_DIR is set: run this by scripts/test js");
  return join(target, "debug", "bedplate");
}

export async function startGateway(config) {
  const project = mkdtempSync(join(tmpdir(), "bedplate-js-"));
  if (config) writeFileSync(join(project, "bedplate.toml"), config);
  const child = spawn(
    binary(),
    ["up", "--project", project, "--data", "127.0.0.1:0", "--control", "127.0.0.1:0", "--format", "json"],
    { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: "true" } },
  );
  let log = "";
  child.stderr.on("data", (part) => (log += part));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const first = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const line = await Promise.race([first, exited.then(() => null)]);
  if (line === null) throw new Error(`bedplate up did not become ready:\n${log}`);
  const ready = JSON.parse(line);
  return {
    ...ready,
    project,
    log: () => log,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(project, { recursive: true, force: true });
    },
  };
}

// What `bedplate calls show` holds of a call, waiting until it is settled.
export async function record(gateway, callId) {
  for (let tries = 0; ; tries++) {
    const child = spawn(binary(), ["calls", "show", callId, "--project", gateway.project, "--format", "json"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let out = "";
    child.stdout.on("data", (part) => (out += part));
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code === 0) return JSON.parse(out);
    if (tries > 60) throw new Error(`no record of call ${callId}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
