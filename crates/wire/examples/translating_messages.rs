//! What translations of Anthropic's messages and of prompts cost:
//! `cargo run --profile bench -p bedplate-wire --example translating_messages`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement, run by hand")]

use std::hint::black_box;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::content::Content;
use bedplate_core::form::Form;
use bedplate_wire::anthropic;
use bedplate_wire::translate::{Framing, Stream, Told, Wanted, answer, request};
use bytes::Bytes;

fn main() {
    let clock = SystemClock::shared();
    println!("{:<44}{:>12}", "", "ns each");
    let (said, answered) = ("a word ".repeat(450), "a word ".repeat(90));
    let api = format!(
        r#"{{"model":"m","max_tokens":200,"system":"Be brief.","messages":[{{"role":"user","content":"Hi"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"find","input":{{"a":1}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"found"}},{{"type":"text","text":"{said}"}}]}}],"tools":[{{"name":"find","description":"finds","input_schema":{{"type":"object","properties":{{"a":{{"type":"number"}}}}}}}}],"temperature":0.5}}"#
    );
    let plain = format!(
        r#"{{"anthropic_version":"bedrock-2023-05-31","max_tokens":200,"system":"Be brief.","messages":[{{"role":"user","content":"{said}"}}]}}"#
    );
    let reply = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{{"type":"text","text":"{answered}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":19,"output_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}}}"#
    );
    println!("request of {} bytes with tools, answer of {} bytes", api.len(), reply.len());
    let told = Told { id: "made".into(), model: "named".into(), ..Told::default() };
    let wanted = || Wanted { model: "anthropic.claude", ..Wanted::default() };
    for (name, from, to, body) in [
        ("  request: messages to claude", Form::Messages, Form::Claude, &api),
        ("  request: messages to converse", Form::Messages, Form::Converse, &api),
        ("  request: messages to chat", Form::Messages, Form::Chat, &api),
        ("  request without tools: claude to llama", Form::Claude, Form::Llama, &plain),
        ("  request without tools: claude to titan", Form::Claude, Form::TitanText, &plain),
    ] {
        time(&*clock, name, || {
            black_box(request(from, to, body.as_bytes(), wanted())).expect("translates");
        });
    }
    let whole = Content::new(Bytes::from(api.clone()));
    time(&*clock, "  request: messages to claude, spliced", || {
        drop(black_box(anthropic::to_native(&whole, "").expect("a body of the API")));
    });
    let mut converse = Bytes::new();
    for (name, to) in
        [("  answer: claude to messages", Form::Messages), ("  answer: claude to converse", Form::Converse)]
    {
        time(&*clock, name, || {
            converse = black_box(answer(Form::Claude, to, reply.as_bytes(), &told)).expect("translates");
        });
    }
    time(&*clock, "  answer: converse to messages", || {
        black_box(answer(Form::Converse, Form::Messages, &converse, &told)).expect("translates");
    });
    chunks(&*clock, &told);
}

/// One delta after the other, of a stream that does not end.
fn chunks(clock: &dyn Clock, told: &Told) {
    let head = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let delta = Bytes::from_static(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"It carries \"}}\n\n",
    );
    let ends = [
        ("  chunk: messages to messages", (Form::Messages, Framing::Sse)),
        ("  chunk: messages to converse", (Form::Converse, Framing::EventStream)),
        ("  chunk: messages to llama", (Form::Llama, Framing::Chunks)),
    ];
    for (name, to) in ends {
        let mut stream = Stream::new((Form::Messages, Framing::Sse), to, told).expect("has a codec");
        stream.feed(Bytes::from(head)).expect("readable");
        time(clock, name, || {
            drop(black_box(stream.feed(delta.clone()).expect("readable")));
        });
    }
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
