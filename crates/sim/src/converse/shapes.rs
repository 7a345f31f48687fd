//! The request's shape: members, types, bounds.

use crate::shape::Shape::{self, Any, Bool, Bytes, Enum, Float, Int, List, Map, Struct, Text, Union};

const MANY: usize = usize::MAX;

pub(super) static REQUEST: Shape = Struct(&[
    ("messages", false, &List(&MESSAGE, 0, MANY)),
    ("system", false, &List(&SYSTEM, 0, MANY)),
    (
        "inferenceConfig",
        false,
        &Struct(&[
            ("maxTokens", false, &Int(1, i32::MAX as i64)),
            ("temperature", false, &Float(0.0, 1.0)),
            ("topP", false, &Float(0.0, 1.0)),
            ("stopSequences", false, &List(&Text(1, MANY), 0, 2500)),
        ]),
    ),
    ("toolConfig", false, &Struct(&[("tools", true, &List(&TOOL, 1, MANY)), ("toolChoice", false, &CHOICE)])),
    (
        "guardrailConfig",
        false,
        &Struct(&[
            ("guardrailIdentifier", false, &Text(0, 2048)),
            ("guardrailVersion", false, &Shape::TEXT),
            ("trace", false, &Enum(&["enabled", "disabled", "enabled_full"])),
            ("streamProcessingMode", false, &Enum(&["sync", "async"])),
        ]),
    ),
    ("additionalModelRequestFields", false, &Any),
    ("additionalModelResponseFieldPaths", false, &List(&Text(1, 256), 0, 10)),
    ("requestMetadata", false, &Map(16, 256, 256)),
    ("performanceConfig", false, &Struct(&[("latency", false, &Enum(&["standard", "optimized"]))])),
    ("serviceTier", false, &Struct(&[("type", true, &Enum(&["priority", "default", "flex", "reserved"]))])),
    (
        "outputConfig",
        false,
        &Struct(&[
            (
                "textFormat",
                false,
                &Struct(&[
                    ("type", true, &Enum(&["json_schema"])),
                    (
                        "structure",
                        true,
                        &Union(&[(
                            "jsonSchema",
                            &Struct(&[("schema", true, &Shape::TEXT), ("name", false, &Shape::TEXT)]),
                        )]),
                    ),
                ]),
            ),
            ("effort", false, &Text(0, 16)),
        ]),
    ),
]);

static MESSAGE: Shape = Struct(&[
    ("role", true, &Enum(&["user", "assistant", "system"])),
    ("content", true, &List(&BLOCK, 0, MANY)),
]);

static SYSTEM: Shape =
    Union(&[("text", &Text(1, MANY)), ("guardContent", &GUARD), ("cachePoint", &CACHE_POINT)]);

static BLOCK: Shape = Union(&[
    ("text", &Shape::TEXT),
    ("image", &IMAGE),
    ("document", &DOCUMENT),
    ("video", &Struct(&[("format", true, &Shape::TEXT), ("source", true, &MEDIA)])),
    ("audio", &Struct(&[("format", true, &Shape::TEXT), ("source", true, &MEDIA)])),
    (
        "toolUse",
        &Struct(&[("toolUseId", true, &Text(1, 64)), ("name", true, &Text(1, 64)), ("input", true, &Any)]),
    ),
    (
        "toolResult",
        &Struct(&[
            ("toolUseId", true, &Text(1, 64)),
            ("content", true, &List(&RESULT, 0, MANY)),
            ("status", false, &Enum(&["success", "error"])),
        ]),
    ),
    ("guardContent", &GUARD),
    ("cachePoint", &CACHE_POINT),
    (
        "reasoningContent",
        &Union(&[("reasoningText", &Struct(&[("text", true, &Shape::TEXT)])), ("redactedContent", &Bytes)]),
    ),
    ("citationsContent", &Any),
    ("searchResult", &SEARCH_RESULT),
    ("toolAddition", &Struct(&[("tool", true, &Any)])),
    ("toolRemoval", &Struct(&[("tool", true, &Any)])),
]);

static RESULT: Shape = Union(&[
    ("json", &Any),
    ("text", &Shape::TEXT),
    ("image", &IMAGE),
    ("document", &DOCUMENT),
    ("video", &Any),
    ("searchResult", &SEARCH_RESULT),
]);

static IMAGE: Shape =
    Struct(&[("format", true, &Enum(&["png", "jpeg", "gif", "webp"])), ("source", true, &MEDIA)]);

static MEDIA: Shape = Union(&[("bytes", &Bytes), ("s3Location", &S3)]);
static S3: Shape = Struct(&[("uri", true, &Text(1, 1024)), ("bucketOwner", false, &Shape::TEXT)]);

static DOCUMENT: Shape = Struct(&[
    ("format", false, &Enum(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
    ("name", true, &Text(1, 200)),
    (
        "source",
        true,
        &Union(&[
            ("bytes", &Bytes),
            ("s3Location", &S3),
            ("text", &Shape::TEXT),
            ("content", &List(&Union(&[("text", &Shape::TEXT)]), 0, MANY)),
        ]),
    ),
    ("citations", false, &Struct(&[("enabled", true, &Bool)])),
]);

static SEARCH_RESULT: Shape = Struct(&[
    ("source", true, &Shape::TEXT),
    ("title", true, &Shape::TEXT),
    ("content", true, &List(&Struct(&[("text", true, &Shape::TEXT)]), 0, MANY)),
]);

static GUARD: Shape = Union(&[
    ("text", &Struct(&[("text", true, &Shape::TEXT)])),
    ("image", &Struct(&[("source", true, &Any)])),
]);

static CACHE_POINT: Shape =
    Struct(&[("type", true, &Enum(&["default"])), ("ttl", false, &Enum(&["5m", "1h"]))]);

static TOOL: Shape = Union(&[
    (
        "toolSpec",
        &Struct(&[
            ("name", true, &Text(1, 64)),
            ("description", false, &Text(1, MANY)),
            ("inputSchema", true, &Union(&[("json", &Any)])),
            ("strict", false, &Bool),
        ]),
    ),
    ("systemTool", &Struct(&[("name", true, &Text(1, 64))])),
    ("cachePoint", &CACHE_POINT),
]);

static CHOICE: Shape =
    Union(&[("auto", &Any), ("any", &Any), ("tool", &Struct(&[("name", true, &Text(1, 64))]))]);
