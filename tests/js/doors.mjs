// A gateway whose doors have names for models of two families.
import { NOVA } from "./gateway.mjs";

export const HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0";

export const CONFIG = `
[[provider]]
name = "sim"
kind = "sim"

[drain]
hang_up = "100ms"

[sim]
latency = "off"

[[sim.model]]
id = "*"
error_rate = 0.0

[[sim.fault]]
kind = "exception_after_content"
operation = "ConverseStream"
model = "*nova-pro*"
after = 4
exception = "modelStreamErrorException"

[[sim.fault]]
kind = "throttle"
model = "*nova-micro*"
first = 1
retry_after = "600ms"

# A caller leaves in the middle, and what is left is not waited for.
[[sim.fault]]
kind = "stall"
model = "*claude-sonnet-4-5*"
after = 3
delay = "30s"

[[model]]
name = "chat"
targets = ["sim/${NOVA}"]

[[model]]
name = "claude"
targets = ["sim/${HAIKU}"]

[doors.names]
"gpt-4o*" = "chat"
"claude-haiku-4-5" = "claude"
`;

export const BREAKS = "us.amazon.nova-pro-v1:0";
export const THROTTLED_ONCE = "us.amazon.nova-micro-v1:0";
export const STALLS = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

// A picture of one pixel.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

export const WEATHER = {
  type: "object",
  properties: { city: { type: "string", description: "the name of the city" } },
  required: ["city"],
};

export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
