//! A Bedrock body as the pipeline sees it.

use bedplate_core::cache::Canonical;
use bedplate_core::call::{Headers, Operation, Spoken};
use bedplate_core::content::Content;
use bedplate_core::conversation::Told;
use bedplate_core::form::Form;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, View};
use bedplate_pipeline::Native;
use bedplate_wire::bedrock::view::{self, Asked};
use bedplate_wire::bedrock::{Family, cache, maker, own};
use bedplate_wire::sigv4::{BodyDigest, Hex64};
use bedplate_wire::translate;
use bytes::Bytes;

/// The body, hashed once, and its view.
pub(super) struct Body {
    content: Content,
    digest: BodyDigest,
    view: Box<dyn View>,
    operation: Operation,
    family: Family,
    maker: Option<&'static str>,
    /// How it is written; `None` for what is only passed on.
    form: Option<Form>,
}

impl Body {
    pub(super) fn read(op: Operation, name: &str, bytes: Bytes, headers: &Headers) -> Result<Self, Refusal> {
        let digest = BodyDigest::of(&bytes);
        let content = Content::new(bytes);
        let family = Family::of(name);
        let asked = Asked {
            operation: op,
            family,
            content_type: headers.get("content-type").map(|v| &**v),
            metadata: headers.get("x-amzn-bedrock-request-metadata").map(|v| &**v),
        };
        let view = view::read(&asked, &content)?;
        let form = match op {
            Operation::Converse | Operation::ConverseStream => Some(Form::Converse),
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
                family.form(content.expose()).filter(|form| translate::knows(*form))
            }
            _ => None,
        };
        let maker = maker(name);
        Ok(Self { content, digest, view, operation: op, family, maker, form })
    }

    pub(super) fn digest_hex(&self) -> Hex64 {
        self.digest.hex()
    }
}

impl Native for Body {
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
        cache::canonical(self.operation, self.family, headers, &self.content)
    }

    fn spoken(&self) -> Spoken {
        Spoken { form: self.form, ..Spoken::default() }
    }

    fn fits(&self, model: &str) -> bool {
        let native =
            matches!(self.operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream);
        let family = Family::of(model);
        // what can be read can be written anew for any other model that holds conversations
        !native || family == self.family || self.form.is_some() && family.converses()
    }

    fn is_foreign_to(&self, model: &str) -> bool {
        let other = maker(model);
        let known = self.maker.is_some() && other.is_some();
        known && (other != self.maker || Family::of(model) != self.family)
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        own::answer(self.operation, text).or_else(|| {
            let (form, streams) = (self.form?, self.operation.streams());
            let (content_type, body) = translate::own(form, streams, &Told::default(), text)?;
            let mut headers = Headers::with_capacity(1);
            headers.push("content-type", content_type);
            Some((headers, Content::new(body)))
        })
    }
}
