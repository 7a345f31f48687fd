//! Embeddings, over models that each take texts in a way of their own.

use bedplate_wire::openai::embeddings::{Asked, Embedder, Reply, answer};
use serde_json::{Value, json};

fn bodies(body: &Value, embedder: Embedder) -> Vec<Value> {
    let body = body.to_string();
    let asked = Asked::read(body.as_bytes()).unwrap();
    let bodies = asked.bodies(embedder).unwrap();
    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

#[test]
fn every_model_is_asked_in_its_way() {
    let two = json!({"model": "m", "input": ["a \"é\"\n", "b"], "dimensions": 256, "user": "u"});
    assert_eq!(
        bodies(&two, Embedder::TitanV2),
        [json!({"inputText": "a \"é\"\n", "dimensions": 256}), json!({"inputText": "b", "dimensions": 256})]
    );
    assert_eq!(
        bodies(&two, Embedder::TitanImage)[1],
        json!({"inputText": "b", "embeddingConfig": {"outputEmbeddingLength": 256}})
    );
    assert_eq!(
        bodies(&two, Embedder::CohereV4),
        [json!({"texts": ["a \"é\"\n", "b"], "input_type": "search_document", "output_dimension": 256})]
    );
    assert_eq!(
        bodies(&two, Embedder::Nova)[0],
        json!({"schemaVersion": "nova-multimodal-embed-v1", "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 256,
                "text": {"truncationMode": "NONE", "value": "a \"é\"\n"}}})
    );
    let one = json!({"model": "m", "input": "a", "input_type": "search_query", "dimensions": 1024});
    assert_eq!(bodies(&one, Embedder::CohereV3), [json!({"texts": ["a"], "input_type": "search_query"})]);
    let plain = json!({"model": "m", "input": "a"});
    assert_eq!(bodies(&plain, Embedder::TitanV1), [json!({"inputText": "a"})]);
    let many = json!({"model": "m", "input": vec!["x"; 200]});
    let sizes: Vec<_> = bodies(&many, Embedder::CohereV3)
        .iter()
        .map(|body| body["texts"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [96, 96, 8]);
    assert_eq!(bodies(&many, Embedder::TitanV2).len(), 200);
}

#[test]
fn models_are_known_by_their_ids() {
    for (id, embedder) in [
        ("amazon.titan-embed-text-v2:0", Some(Embedder::TitanV2)),
        ("amazon.titan-embed-text-v1", Some(Embedder::TitanV1)),
        ("amazon.titan-embed-g1-text-02", Some(Embedder::TitanV1)),
        ("amazon.titan-embed-image-v1", Some(Embedder::TitanImage)),
        ("us.cohere.embed-v4:0", Some(Embedder::CohereV4)),
        ("cohere.embed-multilingual-v3", Some(Embedder::CohereV3)),
        ("arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-english-v3", Some(Embedder::CohereV3)),
        ("amazon.nova-2-multimodal-embeddings-v1:0", Some(Embedder::Nova)),
        ("amazon.nova-lite-v1:0", None),
        ("cohere.rerank-v3-5:0", None),
    ] {
        assert_eq!(Embedder::of(id), embedder, "{id}");
    }
}

#[test]
fn answers_become_one_list() {
    let request = |format: &str| format!(r#"{{"model":"m","input":["a","b"],"encoding_format":"{format}"}}"#);
    let titan = [
        r#"{"embedding":[0.10,-2e-3],"inputTextTokenCount":3}"#,
        r#"{"embedding":[1,2.5],"inputTextTokenCount":4,"embeddingsByType":{}}"#,
    ];
    let floats = [r#"{"id":"x","embeddings":[[0.10,-2e-3],[1,2.5]],"response_type":"embeddings_floats"}"#];
    let typed = [r#"{"embeddings":{"float":[[0.10,-2e-3],[1,2.5]]}}"#];
    let nova = [
        r#"{"embeddings":[{"embeddingType":"TEXT","embedding":[0.10,-2e-3]}]}"#,
        r#"{"embeddings":[{"embeddingType":"TEXT","embedding":[1,2.5]}]}"#,
    ];
    for (embedder, replies, tokens) in [
        (Embedder::TitanV2, &titan[..], None),
        (Embedder::CohereV3, &floats[..], Some(7)),
        (Embedder::CohereV4, &typed[..], Some(7)),
        (Embedder::Nova, &nova[..], Some(3)),
    ] {
        let replies: Vec<_> = replies.iter().map(|body| Reply { body: body.as_bytes(), tokens }).collect();
        let tokens = if embedder == Embedder::Nova { 6 } else { 7 };
        let body = request("float");
        let asked = Asked::read(body.as_bytes()).unwrap();
        let done = answer(&asked, embedder, &replies, "mine").unwrap();
        // numbers as the model wrote them
        assert!(std::str::from_utf8(&done).unwrap().contains("[0.10,-2e-3]"));
        let done: Value = serde_json::from_slice(&done).unwrap();
        assert_eq!(
            done,
            json!({"object": "list", "model": "mine", "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
                "data": [{"object": "embedding", "index": 0, "embedding": [0.10, -2e-3]},
                         {"object": "embedding", "index": 1, "embedding": [1, 2.5]}]})
        );
        let body = request("base64");
        let asked = Asked::read(body.as_bytes()).unwrap();
        let done: Value =
            serde_json::from_slice(&answer(&asked, embedder, &replies, "mine").unwrap()).unwrap();
        // 1.0 and 2.5 as numpy writes them
        assert_eq!(done["data"][1]["embedding"], "AACAPwAAIEA=", "{embedder:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_its_member() {
    for (members, at) in [
        (r#""model":"m""#, "`input`"),
        (r#""input":7"#, "`input`"),
        (r#""input":"""#, "`input`"),
        (r#""input":[]"#, "`input`"),
        (r#""input":["a",""]"#, "`input[1]`"),
        (r#""input":[1,2,3]"#, "`input[0]`: tokens"),
        (r#""input":[[1,2],[3]]"#, "`input[0]`: tokens"),
        (r#""input":["a",null]"#, "`input[1]`"),
        (r#""input":"a","encoding_format":"int8""#, "`encoding_format`"),
        (r#""input":"a","dimensions":0"#, "`dimensions`"),
        (r#""input":"a","dimensions":"x""#, "`dimensions`"),
        (r#""input":"a","input_type":"x""#, "`input_type`"),
    ] {
        let body = format!("{{{members}}}");
        let said = Asked::read(body.as_bytes()).unwrap_err().said;
        assert!(said.starts_with(at), "{members}: {said}");
    }
    let body = br#"{"input":"a","dimensions":512,"x":1}"#;
    let asked = Asked::read(body).unwrap();
    assert_eq!(asked.dropped[0].name(), "x");
    for embedder in [Embedder::TitanV1, Embedder::CohereV3] {
        assert!(asked.bodies(embedder).unwrap_err().said.starts_with("`dimensions`: the model gives 1"));
    }
    for (embedder, reply) in [
        (Embedder::TitanV2, "{}"),
        (Embedder::TitanV2, "<html>"),
        (Embedder::CohereV3, r#"{"embeddings":{"int8":[[1]]}}"#),
        (Embedder::CohereV3, r#"{"embeddings":[]}"#),
        (Embedder::CohereV3, r#"{"embeddings":[[1],[2]]}"#),
        (Embedder::Nova, r#"{"embeddings":7}"#),
    ] {
        let replies = [Reply { body: reply.as_bytes(), tokens: None }];
        let refusal = answer(&asked, embedder, &replies, "m").unwrap_err();
        assert_eq!(refusal.code.to_string(), "BP4006", "{reply}");
    }
}
