//! Writes a request.

mod message;
mod options;
mod part;
mod tools;

use bedplate_core::conversation::{Conversation, Message, Role};

use super::{Chat, read};
use crate::json::write::object;
use crate::translate::Wanted;

pub(super) use message::assistant;

pub(super) fn conversation(chat: Chat, c: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
    let mut o = object(out);
    // native bodies say neither: their path does
    if chat == Chat::OpenAi && !wanted.model.is_empty() {
        o.string("model", wanted.model);
    }
    {
        let mut list = o.list("messages");
        message::system(chat, &c.system, &mut list);
        for Message { role, name, content } in &c.messages {
            match role {
                Role::User => message::user(chat, name.as_ref(), content, &mut list),
                Role::Assistant => {
                    let mut o = list.object();
                    o.raw("role", "\"assistant\"").maybe_text("name", name.as_ref());
                    assistant(chat, content, &mut o);
                }
                Role::System => {
                    let mut o = list.object();
                    o.raw("role", "\"system\"").maybe_text("name", name.as_ref());
                    part::content(chat, content.iter(), &mut o);
                }
            }
        }
    }
    tools::write(chat, c, &mut o);
    options::write(chat, c, wanted, &mut o);
    if chat == Chat::OpenAi && wanted.stream {
        o.raw("stream", "true");
        o.object("stream_options").raw("include_usage", "true");
    }
    for field in c.fields.iter().filter(|field| !options::is_said(c, &field.name)) {
        o.member(field);
    }
    for member in c.rest.to(chat.form()).iter().filter(|member| read::is_own(member)) {
        o.member(member);
    }
}
