//! That every form keeps its word: what it says that it carries is written, and read again; the rest is gone, and said.

use bedplate_core::conversation::{
    Block, CachePoint, Carry, Citation, Conversation, Document, Feature, Guarded, Json, Media, Member,
    Message, Output, Reasoning, Rest, Role, SearchResult, Source, Text, Thinking, Tool, ToolChoice, ToolItem,
    ToolResult, ToolUse,
};
use bedplate_core::form::Form;

use super::{Wanted, codec, fit};

fn t(text: &str) -> Text<'static> {
    Text::of(text)
}

fn json(json: &'static str) -> Json<'static> {
    Json::from_raw(json)
}

fn media(format: &str) -> Media<'static> {
    Media { format: t(format), source: Source::Bytes(t("aGk=")), detail: None }
}

fn document() -> Document<'static> {
    let (name, format) = (Some(t("d")), Some(t("pdf")));
    Document { name, format, source: Source::Bytes(t("aGk=")), context: None, cite: None }
}

fn tool() -> Tool<'static> {
    let schema = Some(json(r#"{"type":"object"}"#));
    Tool { name: t("look"), description: Some(t("d")), schema, strict: None, rest: Rest::default() }
}

/// Another form than this.
fn other(form: Form) -> Form {
    if form == Form::Converse { Form::Chat } else { Form::Converse }
}

/// A conversation that holds a feature, and little else.
fn with(feature: Feature, to: Form) -> Conversation<'static> {
    let say = |role, content| Message { role, name: None, content };
    let mut c = Conversation {
        messages: vec![say(Role::User, vec![Block::Text(t("a"))])],
        max_tokens: Some(9),
        ..Conversation::default()
    };
    let tools = |c: &mut Conversation<'static>| c.tools = vec![ToolItem::Tool(tool())];
    let used = |c: &mut Conversation<'static>, content: Vec<Block<'static>>, failed, by_server: bool| {
        let (id, name) = (t("toolu_1"), t("look"));
        let used = ToolUse { id: id.clone(), name, input: json(r#"{"a":1}"#), by_server };
        c.messages.push(say(Role::Assistant, vec![Block::ToolUse(used)]));
        let result = ToolResult { id, content, failed, kind: by_server.then(|| t("web_search_tool_result")) };
        c.messages.push(say(Role::User, vec![Block::ToolResult(result)]));
    };
    let add = |c: &mut Conversation<'static>, block| {
        if let Some(first) = c.messages.first_mut() {
            first.content.insert(0, block);
        }
    };
    let answered = |c: &mut Conversation<'static>, block| {
        c.messages.push(say(Role::Assistant, vec![block, Block::Text(t("b"))]));
        c.messages.push(say(Role::User, vec![Block::Text(t("c"))]));
    };
    let from = |source| Media { source, ..media("png") };
    match feature {
        Feature::System => c.system = vec![Block::Text(t("be kind"))],
        Feature::SystemTurn => {
            c.messages.push(say(Role::Assistant, vec![Block::Text(t("b"))]));
            c.messages.push(say(Role::User, vec![Block::Text(t("c"))]));
            c.messages.push(say(Role::System, vec![Block::Text(t("s"))]));
            c.messages.push(say(Role::User, vec![Block::Text(t("d"))]));
        }
        Feature::MessageName => c.messages[0].name = Some(t("ada")),
        Feature::Text => {}
        Feature::Image => add(&mut c, Block::Image(media("png"))),
        Feature::ImageDetail => add(&mut c, Block::Image(Media { detail: Some(t("low")), ..media("png") })),
        Feature::Video => add(&mut c, Block::Video(media("mp4"))),
        Feature::Audio => add(&mut c, Block::Audio(media("wav"))),
        Feature::Document => add(&mut c, Block::Document(document())),
        Feature::DocumentContext => {
            add(&mut c, Block::Document(Document { context: Some(t("c")), ..document() }));
        }
        Feature::S3 => {
            add(&mut c, Block::Image(from(Source::S3 { uri: t("s3://media/a.png"), owner: None })));
        }
        Feature::Url => add(&mut c, Block::Image(from(Source::Url(t("https://a.example/b.png"))))),
        Feature::File => {
            add(&mut c, Block::Document(Document { source: Source::File(t("file_1")), ..document() }));
        }
        Feature::Citation => {
            let location =
                Some(bedplate_core::conversation::Location::Chars { document: 0, start: 1, end: 2 });
            let citation =
                Citation { title: Some(t("t")), cited: vec![t("q")], location, ..Citation::default() };
            answered(&mut c, Block::Cited { content: vec![t("x")], citations: vec![citation] });
        }
        Feature::Cite => add(&mut c, Block::Document(Document { cite: Some(true), ..document() })),
        Feature::Refusal => answered(&mut c, Block::Refusal(t("no"))),
        Feature::ToolUse | Feature::ToolResult => {
            tools(&mut c);
            used(&mut c, vec![Block::Text(t("x"))], None, false);
        }
        Feature::ToolResultMedia => {
            tools(&mut c);
            used(&mut c, vec![Block::Image(media("png"))], None, false);
        }
        Feature::ToolFailed => {
            tools(&mut c);
            used(&mut c, vec![Block::Text(t("x"))], Some(true), false);
        }
        Feature::ServerTool => {
            tools(&mut c);
            used(&mut c, vec![Block::Text(t("x"))], None, true);
        }
        Feature::ToolChange => {
            tools(&mut c);
            add(&mut c, Block::ToolChange { adds: true, tool: json(r#"{"tool":{"name":"look"}}"#) });
        }
        Feature::Reasoning => {
            answered(&mut c, Block::Reasoning(Reasoning::Text { text: t("h"), signature: Some(t("c2ln")) }));
        }
        Feature::RedactedReasoning => answered(&mut c, Block::Reasoning(Reasoning::Redacted(t("aGk=")))),
        Feature::SearchResult => {
            let content = vec![t("x")];
            add(
                &mut c,
                Block::SearchResult(SearchResult { source: t("s"), title: t("t"), content, cite: None }),
            );
        }
        Feature::Guarded => add(&mut c, Block::Guarded(Guarded::Text { text: t("g"), qualifiers: vec![] })),
        Feature::CachePoint => c.messages[0].content.push(Block::CachePoint(CachePoint::default())),
        Feature::CacheTtl => {
            c.messages[0].content.push(Block::CachePoint(CachePoint { ttl: Some(t("1h")) }));
        }
        Feature::ForeignBlock => {
            add(&mut c, Block::Foreign { form: other(to), block: json(r#"{"newest":1}"#) });
        }
        Feature::Tool => tools(&mut c),
        Feature::StrictTool => c.tools = vec![ToolItem::Tool(Tool { strict: Some(true), ..tool() })],
        Feature::SystemTool => c.tools = vec![ToolItem::System(t("web"))],
        Feature::ForeignTool => {
            c.tools = vec![ToolItem::Foreign { form: other(to), tool: json(r#"{"newest":1}"#) }];
        }
        Feature::ToolChoice => {
            tools(&mut c);
            c.tool_choice = Some(ToolChoice::Any);
        }
        Feature::ToolNever => {
            tools(&mut c);
            c.tool_choice = Some(ToolChoice::Never);
        }
        Feature::ParallelTools => {
            tools(&mut c);
            c.parallel_tools = Some(false);
        }
        Feature::MaxTokens => {}
        Feature::Temperature => c.sampling.temperature = Some(json("0.5")),
        Feature::TopP => c.sampling.top_p = Some(json("0.5")),
        Feature::TopK => c.sampling.top_k = Some(json("5")),
        Feature::FrequencyPenalty => c.sampling.frequency_penalty = Some(json("0.5")),
        Feature::PresencePenalty => c.sampling.presence_penalty = Some(json("0.5")),
        Feature::Seed => c.sampling.seed = Some(json("5")),
        Feature::LogitBias => c.sampling.logit_bias = Some(json(r#"{"5":1}"#)),
        Feature::Logprobs => c.sampling.logprobs = Some(2),
        Feature::Stop => c.stop = vec![t("#")],
        Feature::Answers => c.answers = 2,
        Feature::OutputJson => c.output = Some(Output::Json),
        Feature::OutputSchema => {
            let schema = json(r#"{"type":"object","additionalProperties":false}"#);
            c.output = Some(Output::Schema { name: Some(t("n")), description: None, schema, strict: None });
        }
        Feature::Thinking => {
            c.max_tokens = Some(9_000);
            c.thinking = Some(Thinking::On { budget: Some(2_000) });
        }
        Feature::Effort => c.effort = Some(t("low")),
        Feature::Tier => c.service.tier = Some("default".into()),
        Feature::Latency => c.service.latency = Some("optimized".into()),
        Feature::Guardrail => {
            c.service.guardrail = Some(json(r#"{"guardrailIdentifier":"g","guardrailVersion":"1"}"#));
        }
        Feature::Metadata => c.metadata = vec![(t("k"), t("v"))],
        Feature::User => c.user = Some(t("ada")),
        Feature::Beta => c.betas = vec![t("x-1")],
        Feature::Field => c.fields = vec![Member { name: "newest".into(), value: json("1") }],
        Feature::FieldPath => c.field_paths = vec![t("/a")],
        Feature::Rest => {
            c.rest = Rest::of(other(to), vec![Member { name: "newest".into(), value: json("1") }]);
        }
    }
    c
}

/// Whether a conversation holds a feature.
fn holds(c: &Conversation<'_>, feature: Feature) -> bool {
    let blocks = || c.messages.iter().flat_map(|message| &message.content);
    let inner = || {
        blocks().filter_map(|block| match block {
            Block::ToolResult(result) => Some(result),
            _ => None,
        })
    };
    let is = |pattern: fn(&Block<'_>) -> bool| blocks().any(pattern);
    let source = |pattern: fn(&Source<'_>) -> bool| {
        blocks().any(|block| matches!(block, Block::Image(media) if pattern(&media.source)))
    };
    let tool = |pattern: fn(&Tool<'_>) -> bool| {
        c.tools.iter().any(|item| matches!(item, ToolItem::Tool(tool) if pattern(tool)))
    };
    let s = &c.sampling;
    match feature {
        // a prompt without a place of its own for them has them in front of what the user says
        Feature::System => {
            let kind = |b: &Block<'_>| matches!(b, Block::Text(text) if text.decode().contains("be kind"));
            !c.system.is_empty() || blocks().any(kind)
        }
        Feature::SystemTurn => c.messages.iter().any(|message| message.role == Role::System),
        Feature::MessageName => c.messages.iter().any(|message| message.name.is_some()),
        Feature::Text => is(|b| matches!(b, Block::Text(_))),
        Feature::Image => is(|b| matches!(b, Block::Image(_))),
        Feature::ImageDetail => is(|b| matches!(b, Block::Image(Media { detail: Some(_), .. }))),
        Feature::Video => is(|b| matches!(b, Block::Video(_))),
        Feature::Audio => is(|b| matches!(b, Block::Audio(_))),
        Feature::Document => is(|b| matches!(b, Block::Document(_))),
        Feature::DocumentContext => is(|b| matches!(b, Block::Document(Document { context: Some(_), .. }))),
        Feature::S3 => source(|s| matches!(s, Source::S3 { .. })),
        Feature::Url => source(|s| matches!(s, Source::Url(_))),
        Feature::File => is(|b| matches!(b, Block::Document(Document { source: Source::File(_), .. }))),
        Feature::Citation => is(|b| matches!(b, Block::Cited { citations, .. } if !citations.is_empty())),
        Feature::Cite => is(|b| matches!(b, Block::Document(Document { cite: Some(true), .. }))),
        Feature::Refusal => is(|b| matches!(b, Block::Refusal(_))),
        Feature::ToolUse => is(|b| matches!(b, Block::ToolUse(_))),
        Feature::ToolResult => inner().next().is_some(),
        Feature::ToolResultMedia => inner().any(|r| r.content.iter().any(|b| matches!(b, Block::Image(_)))),
        Feature::ToolFailed => inner().any(|result| result.failed == Some(true)),
        Feature::ServerTool => {
            is(|b| matches!(b, Block::ToolUse(ToolUse { by_server: true, .. }) | Block::Foreign { .. }))
        }
        Feature::ToolChange => is(|b| matches!(b, Block::ToolChange { .. })),
        Feature::Reasoning => is(|b| matches!(b, Block::Reasoning(Reasoning::Text { .. }))),
        Feature::RedactedReasoning => is(|b| matches!(b, Block::Reasoning(Reasoning::Redacted(_)))),
        Feature::SearchResult => is(|b| matches!(b, Block::SearchResult(_))),
        Feature::Guarded => is(|b| matches!(b, Block::Guarded(_))),
        Feature::CachePoint => is(|b| matches!(b, Block::CachePoint(_))),
        Feature::CacheTtl => is(|b| matches!(b, Block::CachePoint(CachePoint { ttl: Some(_) }))),
        Feature::ForeignBlock => is(|b| matches!(b, Block::Foreign { .. })),
        Feature::Tool => tool(|_| true),
        Feature::StrictTool => tool(|tool| tool.strict == Some(true)),
        Feature::SystemTool => c.tools.iter().any(|item| matches!(item, ToolItem::System(_))),
        Feature::ForeignTool => c.tools.iter().any(|item| matches!(item, ToolItem::Foreign { .. })),
        Feature::ToolChoice => matches!(c.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_))),
        // also by leaving the tools out
        Feature::ToolNever => c.tool_choice == Some(ToolChoice::Never) || c.tools.is_empty(),
        Feature::ParallelTools => c.parallel_tools.is_some(),
        Feature::MaxTokens => c.max_tokens.is_some(),
        Feature::Temperature => s.temperature.is_some(),
        Feature::TopP => s.top_p.is_some(),
        Feature::TopK => s.top_k.is_some(),
        Feature::FrequencyPenalty => s.frequency_penalty.is_some(),
        Feature::PresencePenalty => s.presence_penalty.is_some(),
        Feature::Seed => s.seed.is_some(),
        Feature::LogitBias => s.logit_bias.is_some(),
        Feature::Logprobs => s.logprobs.is_some(),
        Feature::Stop => !c.stop.is_empty(),
        Feature::Answers => c.answers > 1,
        Feature::OutputJson => matches!(c.output, Some(Output::Json)),
        Feature::OutputSchema => matches!(c.output, Some(Output::Schema { .. })),
        Feature::Thinking => c.thinking.is_some(),
        Feature::Effort => c.effort.is_some(),
        Feature::Tier => c.service.tier.is_some(),
        Feature::Latency => c.service.latency.is_some(),
        Feature::Guardrail => c.service.guardrail.is_some(),
        Feature::Metadata => !c.metadata.is_empty(),
        Feature::User => c.user.is_some(),
        Feature::Beta => !c.betas.is_empty(),
        Feature::Field => c.fields.iter().chain(&c.rest.members).any(|member| member.name == "newest"),
        Feature::FieldPath => !c.field_paths.is_empty(),
        Feature::Rest => c.rest.members.iter().any(|member| member.name == "newest"),
    }
}

/// What must have a place for a feature to have one.
fn part_of(feature: Feature) -> Option<Feature> {
    match feature {
        Feature::ImageDetail => Some(Feature::Image),
        Feature::DocumentContext | Feature::Cite => Some(Feature::Document),
        Feature::CacheTtl => Some(Feature::CachePoint),
        Feature::ToolFailed => Some(Feature::ToolResult),
        Feature::StrictTool | Feature::ToolNever | Feature::ParallelTools => Some(Feature::Tool),
        _ => None,
    }
}

/// A model that a form is for.
fn model(form: Form) -> &'static str {
    match form {
        Form::Nova => "us.amazon.nova-2-lite-v1:0",
        _ => "us.anthropic.claude-opus-5",
    }
}

#[test]
fn the_conversations_hold_what_they_are_for() {
    for feature in Feature::ALL {
        assert!(holds(&with(*feature, Form::Converse), *feature), "{feature:?}");
    }
}

#[test]
fn every_form_keeps_its_word() {
    let mut wrong = Vec::new();
    for form in Form::ALL {
        let Ok(codec) = codec(*form) else { continue };
        for feature in Feature::ALL {
            // bedplate itself records the person behind a call
            let recorded = *feature == Feature::User && matches!(form, Form::Converse | Form::Nova);
            if recorded || part_of(*feature).is_some_and(|whole| codec.carries(whole) != Carry::Carried) {
                continue;
            }
            let wanted = Wanted { model: model(*form), ..Wanted::default() };
            let mut c = with(*feature, *form);
            let from = other(*form);
            let settled = codec.settle(from, &mut c, &wanted).map(|mut dropped| {
                fit::fit(&mut c, *form, |feature| codec.carries(feature), &wanted, &mut dropped)
                    .map(|()| dropped)
            });
            // what one form alone knows goes nowhere else
            let carry = if *feature == Feature::Rest { Carry::Dropped } else { codec.carries(*feature) };
            let (carry, fitted) = (carry, settled.ok().and_then(Result::ok));
            let said = |what: &str| format!("{} {feature:?} {carry:?}: {what}", form.name());
            let Some(dropped) = fitted else {
                if !matches!(carry, Carry::Refused(_)) {
                    wrong.push(said("refused"));
                }
                continue;
            };
            let mut out = String::new();
            codec.write(&c, &wanted, &mut out);
            let there = match codec.read(&out) {
                Ok(again) => holds(&again, *feature),
                Err(bad) => {
                    wrong.push(said(&format!("written and not read: {} {}", bad.at, bad.why)));
                    continue;
                }
            };
            let is_said = dropped.iter().any(|dropped| dropped.feature == *feature);
            match carry {
                Carry::Carried if !there => wrong.push(said("lost")),
                Carry::Carried if is_said => wrong.push(said("said to be left out")),
                Carry::Dropped if there => wrong.push(said("still there")),
                Carry::Dropped if !is_said => wrong.push(said("left out silently")),
                Carry::Refused(_) => wrong.push(said("not refused")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
