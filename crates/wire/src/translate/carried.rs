//! What forms say of themselves, held against what they write and read: what is carried is there again, what is dropped
//! is gone and said, and what is refused is refused by its name.

use bedplate_core::conversation::{
    Block, CachePoint, Carry, Citation, Conversation, Document, Feature, Guarded, Json, Media, Member,
    Message, Output, Reasoning, Rest, Role, SearchResult, Source, Text, Thinking, Tool, ToolChoice, ToolItem,
    ToolResult, ToolUse,
};
use bedplate_core::form::Form;

use super::{Wanted, codec, fit};

const FORMS: &[Form] = &[Form::Chat, Form::MistralChat, Form::Jamba];

fn text(text: &str) -> Text<'static> {
    Text::of(text)
}

fn json(json: &'static str) -> Json<'static> {
    Json::from_raw(json)
}

fn said(role: Role, content: Vec<Block<'static>>) -> Message<'static> {
    Message { role, name: None, content }
}

fn media(source: Source<'static>, detail: Option<&str>) -> Media<'static> {
    Media { format: text("png"), source, detail: detail.map(text) }
}

fn document(source: Source<'static>) -> Document<'static> {
    Document { name: Some(text("a.pdf")), format: Some(text("pdf")), source, context: None, cite: None }
}

fn bytes() -> Source<'static> {
    Source::Bytes(text("AAAA"))
}

fn used(by_server: bool) -> Block<'static> {
    Block::ToolUse(ToolUse { id: text("c"), name: text("f"), input: json("{}"), by_server })
}

fn result(content: Vec<Block<'static>>, failed: Option<bool>) -> Block<'static> {
    Block::ToolResult(ToolResult { id: text("c"), content, failed, kind: None })
}

fn tool(strict: Option<bool>) -> ToolItem<'static> {
    ToolItem::Tool(Tool {
        name: text("f"),
        description: None,
        schema: Some(json("{}")),
        strict,
        rest: Rest::default(),
    })
}

/// What a user said beside a text.
fn beside(block: Block<'static>) -> Vec<Message<'static>> {
    vec![said(Role::User, vec![Block::Text(text("q")), block])]
}

/// What an assistant said between two turns of the user's.
fn between(blocks: Vec<Block<'static>>) -> Vec<Message<'static>> {
    let user = |word| said(Role::User, vec![Block::Text(text(word))]);
    vec![user("q"), said(Role::Assistant, blocks), user("r")]
}

fn with_result(result: Block<'static>) -> Vec<Message<'static>> {
    vec![
        said(Role::User, vec![Block::Text(text("q"))]),
        said(Role::Assistant, vec![used(false)]),
        said(Role::User, vec![result]),
    ]
}

/// A conversation that holds this.
fn holding(feature: Feature) -> Conversation<'static> {
    let mut c = Conversation {
        messages: vec![said(Role::User, vec![Block::Text(text("q"))])],
        ..Conversation::default()
    };
    let answer = Block::Text(text("a"));
    let cached = |ttl: Option<&str>| Block::CachePoint(CachePoint { ttl: ttl.map(text) });
    let signed = Reasoning::Text { text: text("t"), signature: Some(text("c2ln")) };
    match feature {
        Feature::System => c.system = vec![answer],
        Feature::SystemTurn => c.messages.push(said(Role::System, vec![answer])),
        Feature::MessageName => c.messages[0].name = Some(text("ada")),
        Feature::Text => {}
        Feature::Image => c.messages = beside(Block::Image(media(bytes(), None))),
        Feature::ImageDetail => c.messages = beside(Block::Image(media(bytes(), Some("low")))),
        Feature::Video => c.messages = beside(Block::Video(media(bytes(), None))),
        Feature::Audio => c.messages = beside(Block::Audio(media(bytes(), None))),
        Feature::Document => c.messages = beside(Block::Document(document(bytes()))),
        Feature::DocumentContext => {
            let context = Some(text("x"));
            c.messages = beside(Block::Document(Document { context, ..document(bytes()) }));
        }
        Feature::Cite => {
            c.messages = beside(Block::Document(Document { cite: Some(true), ..document(bytes()) }));
        }
        Feature::S3 => {
            let source = Source::S3 { uri: text("s3://b/k.png"), owner: None };
            c.messages = beside(Block::Image(media(source, None)));
        }
        Feature::Url => {
            c.messages = beside(Block::Image(media(Source::Url(text("https://a.example/k.png")), None)));
        }
        Feature::File => c.messages = beside(Block::Document(document(Source::File(text("file-1"))))),
        Feature::Citation => {
            let cited = Block::Cited { content: vec![text("a")], citations: vec![Citation::default()] };
            c.messages = between(vec![cited]);
        }
        Feature::Refusal => c.messages = between(vec![Block::Refusal(text("no"))]),
        Feature::ToolUse | Feature::ToolResult => c.messages = with_result(result(vec![answer], None)),
        Feature::ToolResultMedia => {
            c.messages = with_result(result(vec![Block::Image(media(bytes(), None))], None));
        }
        Feature::ToolFailed => c.messages = with_result(result(vec![answer], Some(true))),
        Feature::ServerTool => c.messages = between(vec![answer, used(true)]),
        Feature::ToolChange => {
            c.messages = beside(Block::ToolChange { adds: true, tool: json("{}") });
        }
        Feature::Reasoning => c.messages = between(vec![Block::Reasoning(signed), answer]),
        Feature::RedactedReasoning => {
            c.messages = between(vec![Block::Reasoning(Reasoning::Redacted(text("ZW5j"))), answer]);
        }
        Feature::SearchResult => {
            let found =
                SearchResult { source: text("s"), title: text("t"), content: vec![text("x")], cite: None };
            c.messages = beside(Block::SearchResult(found));
        }
        Feature::Guarded => {
            c.messages = beside(Block::Guarded(Guarded::Text { text: text("x"), qualifiers: vec![] }));
        }
        Feature::CachePoint => c.messages = beside(cached(None)),
        Feature::CacheTtl => c.messages = beside(cached(Some("1h"))),
        Feature::ForeignBlock => {
            c.messages = beside(Block::Foreign { form: Form::Nova, block: json("{}") });
        }
        Feature::Tool => c.tools = vec![tool(None)],
        Feature::StrictTool => c.tools = vec![tool(Some(true))],
        Feature::SystemTool => c.tools = vec![ToolItem::System(text("nova_grounding"))],
        Feature::ForeignTool => c.tools = vec![ToolItem::Foreign { form: Form::Nova, tool: json("{}") }],
        Feature::ToolChoice => (c.tools, c.tool_choice) = (vec![tool(None)], Some(ToolChoice::Any)),
        Feature::ToolNever => (c.tools, c.tool_choice) = (vec![tool(None)], Some(ToolChoice::Never)),
        Feature::ParallelTools => (c.tools, c.parallel_tools) = (vec![tool(None)], Some(false)),
        Feature::MaxTokens => c.max_tokens = Some(9),
        Feature::Temperature => c.sampling.temperature = Some(json("0.50")),
        Feature::TopP => c.sampling.top_p = Some(json("0.5")),
        Feature::TopK => c.sampling.top_k = Some(json("5")),
        Feature::FrequencyPenalty => c.sampling.frequency_penalty = Some(json("1")),
        Feature::PresencePenalty => c.sampling.presence_penalty = Some(json("1")),
        Feature::Seed => c.sampling.seed = Some(json("7")),
        Feature::LogitBias => c.sampling.logit_bias = Some(json("{\"1\":2}")),
        Feature::Logprobs => c.sampling.logprobs = Some(3),
        Feature::Stop => c.stop = vec![text("END")],
        Feature::Answers => c.answers = 2,
        Feature::OutputJson => c.output = Some(Output::Json),
        Feature::OutputSchema => {
            c.output = Some(Output::Schema {
                name: Some(text("n")),
                description: None,
                schema: json("{}"),
                strict: Some(true),
            });
        }
        Feature::Thinking => c.thinking = Some(Thinking::Adaptive),
        Feature::Effort => c.effort = Some(text("low")),
        Feature::Tier => c.service.tier = Some("flex".into()),
        Feature::Latency => c.service.latency = Some("optimized".into()),
        Feature::Guardrail => c.service.guardrail = Some(json("{}")),
        Feature::Metadata => c.metadata = vec![(text("a"), text("b"))],
        Feature::User => c.user = Some(text("u")),
        Feature::Beta => c.betas = vec![text("b")],
        Feature::Field => c.fields = vec![Member { name: "reasoning_effort".into(), value: json("\"low\"") }],
        Feature::FieldPath => c.field_paths = vec![text("/x")],
        Feature::Rest => {
            c.rest = Rest::of(Form::Nova, vec![Member { name: "x".into(), value: json("1") }]);
        }
    }
    c
}

/// What a conversation of its own form holds.
fn of(form: Form, feature: Feature) -> Conversation<'static> {
    let mut c = holding(feature);
    if feature == Feature::Rest {
        c.rest.form = Some(form);
    }
    c
}

#[test]
fn forms_keep_what_they_say() {
    for form in FORMS {
        let codec = codec(*form).unwrap();
        for feature in Feature::ALL {
            let mut c = of(*form, *feature);
            let wanted = Wanted { model: "gpt-x", ..Wanted::default() };
            let mut dropped = codec.settle(Form::Converse, &mut c, &wanted).unwrap();
            let before = c.clone();
            let fitted = fit::fit(&mut c, *form, |feature| codec.carries(feature), &wanted, &mut dropped);
            let gone = dropped.iter().any(|dropped| dropped.feature == *feature);
            let mut body = String::new();
            codec.write(&c, &wanted, &mut body);
            let again = codec.read(&body);
            let what = format!("{} {} {body}", form.name(), feature.name());
            match (codec.carries(*feature), fitted) {
                (Carry::Carried, Ok(())) => {
                    let again = again.unwrap_or_else(|bad| panic!("{what}: {} {}", bad.at, bad.why));
                    assert!(!gone, "{what}");
                    match feature {
                        // a field is a member like others
                        Feature::Field => assert_eq!(again.effort, Some(text("low")), "{what}"),
                        _ => assert_eq!(again, before, "{what}"),
                    }
                }
                (Carry::Dropped, Ok(())) => {
                    let again = again.unwrap_or_else(|bad| panic!("{what}: {} {}", bad.at, bad.why));
                    // how long something is cached goes with that it is
                    assert!((gone || !dropped.is_empty()) && again != before && c != before, "{what}");
                }
                (Carry::Refused(why), Err(refusal)) => {
                    assert_eq!(refusal.said, format!("`{}`: {why}", feature.name()), "{what}");
                }
                // something beside it is refused
                (Carry::Carried | Carry::Dropped, Err(refusal)) => {
                    let other = refusal.said.split('`').nth(1).unwrap();
                    let other = Feature::ALL.iter().find(|feature| feature.name() == other).unwrap();
                    assert!(other != feature && matches!(codec.carries(*other), Carry::Refused(_)), "{what}");
                }
                (Carry::Refused(_), Ok(())) => panic!("{what}: not refused"),
            }
        }
    }
}
