//! Whatever an upstream answers, metering neither panics nor invents: counters stay within bounds.
#![no_main]

use bedplate_core::call::{Headers, Operation};
use bedplate_core::usage::Usage;
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::{Meter, answer};
use bedplate_wire::eventstream::{Scanner, encode_event, encode_exception};
use libfuzzer_sys::fuzz_target;

const FAMILIES: [Family; 7] = [
    Family::Anthropic,
    Family::Nova,
    Family::TitanEmbed,
    Family::CohereRerank,
    Family::Stability,
    Family::OpenAi,
    Family::Unknown,
];
const OPERATIONS: [Operation; 4] =
    [Operation::Converse, Operation::InvokeModel, Operation::ApplyGuardrail, Operation::InvokeGuardrailChecks];

fn sane(usage: Option<Usage>) {
    if let Some(usage) = usage {
        assert!(usage.total() <= 8 << 40);
        assert!(usage.reasoning.is_none_or(|r| r <= usage.output));
    }
}

// a byte that picks, a line for the header, a line for the request, the answer
fuzz_target!(|data: &[u8]| {
    let Some((&pick, rest)) = data.split_first() else { return };
    let mut parts = rest.splitn(3, |b| *b == b'\n');
    let header = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let (request, response) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let family = FAMILIES[usize::from(pick) % FAMILIES.len()];
    let mut headers = Headers::default();
    headers.push("x-amzn-bedrock-input-token-count", header.clone().into_owned());
    headers.push("x-amzn-bedrock-output-token-count", header.clone().into_owned());
    for operation in OPERATIONS {
        sane(answer(operation, family, request, &headers, response).usage);
    }
    // the native chunk as it stands, and as some upstream would wrap it
    let wrapped = format!("{{\"bytes\":\"{}\"}}", base64(response));
    for operation in [Operation::ConverseStream, Operation::InvokeModelWithResponseStream] {
        let mut meter = Meter::new(operation, family);
        let mut scanner = Scanner::new(false);
        let parts = [
            encode_event("chunk", wrapped.as_bytes()),
            encode_event("chunk", response),
            encode_event("contentBlockDelta", response),
            encode_event("messageStop", response),
            encode_event("metadata", request),
            encode_exception("throttlingException", response),
        ];
        scanner.feed(parts.concat().into());
        while let Ok(Some(frame)) = scanner.next_frame() {
            meter.frame(&frame);
        }
        let metered = meter.finish();
        assert!(metered.usage.is_none() || metered.prompt.is_none());
        sane(metered.usage);
        sane(metered.prompt);
    }
});

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let n = group.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = DIGITS[(n >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
