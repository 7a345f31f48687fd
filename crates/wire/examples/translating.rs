//! What it costs to put one form into another: `cargo run --profile bench -p bedplate-wire --example translating`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement, run by hand")]

use std::hint::black_box;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::conversation::Feature;
use bedplate_core::form::Form;
use bedplate_wire::translate::{Framing, Stream, Told, Wanted, answer, carries, request};
use bytes::Bytes;

const FORMS: &[Form] = &[Form::Chat, Form::MistralChat, Form::Messages, Form::Converse, Form::Nova];

fn main() {
    let clock = SystemClock::shared();
    println!("{:<44}{:>12}", "", "ns each");
    let body = chat(4_096);
    let tools = with_tools(4_096);
    for form in FORMS.iter().copied().filter(|form| carries(*form, Feature::Text).is_some()) {
        let wanted = || Wanted { model: "m", ..Wanted::default() };
        for (name, body) in [("text", &body), ("tools", &tools)] {
            let what = format!("request of {} bytes, {name}: chat → {}", body.len(), form.name());
            time(&*clock, &what, || {
                drop(black_box(request(Form::Chat, form, body.as_bytes(), wanted()).expect("reads")));
            });
        }
        let told = Told { id: "1".into(), model: "m".into(), created: 7, ..Told::default() };
        let whole = answer(Form::Chat, form, said(1_024).as_bytes(), &told).expect("reads");
        time(&*clock, &format!("answer of 1 KB: {} → chat", form.name()), || {
            drop(black_box(answer(form, Form::Chat, &whole, &told).expect("reads")));
        });
        streams(&*clock, form, &told);
    }
}

/// A conversation of about this many bytes, in turns of 400.
fn chat(size: usize) -> String {
    let turn = |role: &str| format!(r#"{{"role":"{role}","content":"{}\n\"é\""}}"#, "a word ".repeat(50));
    let turns: Vec<_> =
        ["user", "assistant"].iter().cycle().take(size / 400).map(|role| turn(role)).collect();
    format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"Be brief."}},{},{}],"max_tokens":200,"temperature":0.7,"top_p":0.9,"stop":["END"],"user":"u"}}"#,
        turns.join(","),
        turn("user")
    )
}

fn with_tools(size: usize) -> String {
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\",\"days\":3}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sun and rain"}"#;
    let tool = r#"{"type":"function","function":{"name":"weather","description":"Tells the weather of a city","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}"#;
    let calls = vec![call; size / 2 / call.len()];
    let tools = vec![tool; size / 2 / tool.len()];
    format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"Weather?"}},{}],"tools":[{}],"max_tokens":200}}"#,
        calls.join(","),
        tools.join(",")
    )
}

fn said(size: usize) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":900,"completion_tokens":200,"total_tokens":1100}}}}"#,
        "a word ".repeat(size / 7)
    )
}

/// A chunk of a stream in another form, as a chunk of a chat completion, and the other way round.
fn streams(clock: &dyn Clock, form: Form, told: &Told) {
    let framing = if form == Form::Converse { Framing::EventStream } else { Framing::Sse };
    let (chat, other) = ((Form::Chat, Framing::Sse), (form, framing));
    let chunk = |text: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        ))
    };
    let mut there = Stream::new(chat, other, told).expect("a codec");
    let start = there.feed(chunk("It ")).expect("reads");
    let piece = there.feed(chunk("carries \\n")).expect("reads");
    let input = chunk("carries \\n");
    time(clock, &format!("chunk: chat → {}", form.name()), || {
        drop(black_box(there.feed(input.clone()).expect("reads")));
    });
    let mut back = Stream::new(other, chat, told).expect("a codec");
    back.feed(start).expect("reads");
    time(clock, &format!("chunk: {} → chat", form.name()), || {
        drop(black_box(back.feed(piece.clone()).expect("reads")));
    });
}

fn time(clock: &dyn Clock, name: &str, mut f: impl FnMut()) {
    // the best of ten rounds: the others were disturbed
    let mut best = f64::MAX;
    for _ in 0..10 {
        let (start, n) = (clock.tick(), 2_000);
        (0..n).for_each(|_| f());
        best = best.min(clock.tick().since(start).as_secs_f64() * 1e9 / f64::from(n));
    }
    println!("{name:<44}{best:>12.0}");
}
