//! A body in a vendor's own words as the pipeline sees it.

use std::sync::Arc;

use bedplate_core::cache::{Canonical, Fingerprint};
use bedplate_core::call::{Dialect, Headers, Operation, Spoken};
use bedplate_core::content::Content;
use bedplate_core::conversation::Told;
use bedplate_core::form::Form;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, View};
use bedplate_pipeline::Native;
use bedplate_wire::bedrock::view::{self, Asked};
use bedplate_wire::bedrock::{Family, cache, maker};
use bedplate_wire::openai::embeddings::Embedder;
use bedplate_wire::sigv4::{BodyDigest, Hex64};
use bedplate_wire::translate;
use bytes::Bytes;

/// The body, hashed once, and its view.
pub(super) struct Words {
    content: Content,
    digest: BodyDigest,
    view: Box<dyn View>,
    spoken: Spoken,
    operation: Operation,
    /// Of the model that the caller named; `None` when its name does not say.
    maker: Option<&'static str>,
}

impl Words {
    /// `model` is what the caller's name leads to first.
    pub(super) fn read(
        (dialect, form): (Dialect, Option<Form>),
        operation: Operation,
        model: &str,
        bytes: Bytes,
        told: Told,
    ) -> Result<Self, Refusal> {
        let digest = BodyDigest::of(&bytes);
        let content = Content::new(bytes);
        let family = family(dialect, operation);
        let asked = Asked { operation: native(operation), family, content_type: None, metadata: None };
        let view = view::read(&asked, &content)?;
        let spoken = Spoken { dialect, form, told: Some(Arc::new(told)) };
        Ok(Self { content, digest, view, spoken, operation, maker: maker(model) })
    }

    pub(super) fn digest_hex(&self) -> Hex64 {
        self.digest.hex()
    }
}

impl Native for Words {
    fn content(&self) -> &Content {
        &self.content
    }

    fn view(&self) -> &dyn View {
        &*self.view
    }

    fn sha256(&self, edits: &Edits) -> [u8; 32] {
        self.digest.with_edits(&self.content, edits)
    }

    fn canonical(&self, headers: &Headers) -> Option<Canonical> {
        let dialect = self.spoken.dialect;
        let canonical = cache::canonical(
            native(self.operation),
            family(dialect, self.operation),
            headers,
            &self.content,
        )?;
        // the same bytes through another door get an answer in other words
        let request = Fingerprint::of("door 1", [dialect.name().as_bytes(), canonical.request.bytes()]);
        Some(Canonical { request, ..canonical })
    }

    fn spoken(&self) -> Spoken {
        self.spoken.clone()
    }

    fn fits(&self, model: &str) -> bool {
        match self.operation {
            Operation::InvokeModel => Embedder::of(model).is_some(),
            _ => Family::of(model).converses(),
        }
    }

    fn is_foreign_to(&self, model: &str) -> bool {
        let other = maker(model);
        self.maker.is_some() && other.is_some() && other != self.maker
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        let Spoken { form, told, .. } = &self.spoken;
        let (content_type, body) =
            translate::own((*form)?, self.operation.streams(), told.as_deref()?, text)?;
        let mut headers = Headers::with_capacity(1);
        headers.push("content-type", content_type);
        Some((headers, Content::new(body)))
    }
}

/// Bodies of both vendors are read as those of their models are.
fn native(operation: Operation) -> Operation {
    match operation {
        Operation::ConverseStream => Operation::InvokeModelWithResponseStream,
        Operation::Converse => Operation::InvokeModel,
        other => other,
    }
}

fn family(dialect: Dialect, operation: Operation) -> Family {
    match dialect {
        // embeddings: what is said of one family of models that embed is so of all
        Dialect::OpenAi if operation == Operation::InvokeModel => Family::TitanEmbed,
        Dialect::Anthropic => Family::Anthropic,
        Dialect::OpenAi | Dialect::Bedrock => Family::OpenAi,
    }
}
