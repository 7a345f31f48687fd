//! What is answered on which path, and what is written down about it.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::chat::{Answer, Ending, Speaker};
use crate::http1::{self, Request};
use crate::openai::{self, Asked, Refusal, Voice};

/// What the model is called.
pub const MODEL: &str = "smollm2-135m-instruct";

/// A connection on which nothing is asked for so long is closed.
const QUIET: Duration = Duration::from_secs(60);

pub struct Service {
    speaker: Mutex<Speaker>,
    key: Option<String>,
    log: Option<Mutex<File>>,
    count: AtomicU64,
}

impl Service {
    /// # Errors
    /// When the log cannot be written.
    pub fn new(speaker: Speaker, key: Option<&str>, log: Option<&str>) -> Result<Self, String> {
        let log = log
            .map(|path| File::create(path).map_err(|e| format!("cannot write `{path}`: {e}")))
            .transpose()?;
        Ok(Self {
            speaker: Mutex::new(speaker),
            key: key.map(String::from),
            log: log.map(Mutex::new),
            count: AtomicU64::new(0),
        })
    }

    /// Answers everything that is asked on a connection. What goes wrong on it is its own affair.
    pub fn serve(&self, client: TcpStream) {
        let kept = client.set_read_timeout(Some(QUIET)).and_then(|()| client.set_nodelay(true));
        if let Err(e) = kept.and_then(|()| self.converse(client)) {
            eprintln!("bedplate-llm: a connection ended: {e}");
        }
    }

    fn converse(&self, mut client: TcpStream) -> io::Result<()> {
        let mut from = BufReader::new(client.try_clone()?);
        while let Some(request) = Request::read(&mut from)? {
            if let Err(refusal) = self.respond(&request, &mut client)? {
                self.write_down(&json!({"path": request.path, "refused": refusal.why}))?;
                http1::answer(&mut client, refusal.status, refusal.body().to_string().as_bytes())?;
            }
        }
        Ok(())
    }

    fn respond(&self, request: &Request, client: &mut TcpStream) -> io::Result<Result<(), Refusal>> {
        let asked = match self.read(request) {
            Ok(Some((body, asked))) => (body, asked),
            Ok(None) => {
                let models = json!({"object": "list", "data": [
                    {"id": MODEL, "object": "model", "created": 0, "owned_by": "HuggingFaceTB"}]});
                return http1::answer(client, 200, models.to_string().as_bytes()).map(Ok);
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.chat(&asked.0, &asked.1, client)
    }

    /// What is asked of the model; nothing when it is asked for by name.
    fn read(&self, request: &Request) -> Result<Option<(Value, Asked)>, Refusal> {
        let held = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if self.key.is_some() && self.key.as_deref() != held {
            return Err(Refusal::new(401, "invalid_api_key", "the key is not the right one"));
        }
        match (request.method.as_str(), request.path.split('?').next()) {
            ("GET", Some("/v1/models")) => Ok(None),
            ("POST", Some("/v1/chat/completions")) => {
                let body = serde_json::from_slice(&request.body)
                    .map_err(|e| Refusal::new(400, "invalid_json", format!("the body is no JSON: {e}")))?;
                let asked = openai::read(&body, MODEL)?;
                Ok(Some((body, asked)))
            }
            _ => Err(Refusal::new(404, "not_found", "there is nothing here")),
        }
    }

    fn chat(&self, body: &Value, asked: &Asked, client: &mut TcpStream) -> io::Result<Result<(), Refusal>> {
        // one at a time: who waits is answered after the others
        let mut speaker = self.speaker.lock().unwrap_or_else(PoisonError::into_inner);
        let read = speaker.read(&asked.turns);
        if read.len() + asked.most > speaker.context() {
            let why =
                format!("{} tokens and {} more are beyond {}", read.len(), asked.most, speaker.context());
            return Ok(Err(Refusal::new(400, "context_length_exceeded", why)));
        }
        let voice = self.voice();
        let mut said = String::new();
        let mut stream = asked.streams.then_some(&voice);
        if let Some(voice) = stream {
            http1::begin_stream(client)?;
            http1::event(client, &voice.first().to_string())?;
        }
        let answer = speaker.answer(&read, asked.most, &asked.stops, |text| {
            said.push_str(text);
            let told = match stream {
                Some(voice) if !text.is_empty() => {
                    http1::event(client, &voice.more(text).to_string()).is_ok()
                }
                _ => true,
            };
            told && !http1::has_left(client)
        });
        drop(speaker);
        let usage = openai::usage(read.len(), answer.tokens);
        // before its last word goes out, so that whoever has that finds this
        self.write_down(
            &json!({"path": "/v1/chat/completions", "request": body, "text": said, "usage": usage,
                                "ending": ending(&answer)}),
        )?;
        if answer.ending == Ending::Left {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client left"));
        }
        match stream.take() {
            Some(voice) => finish(client, voice, answer.ending, asked.usage.then_some(&usage))?,
            None => {
                http1::answer(client, 200, voice.whole(&said, answer.ending, &usage).to_string().as_bytes())?
            }
        }
        Ok(Ok(()))
    }

    fn voice(&self) -> Voice {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let id = format!("chatcmpl-{}", self.count.fetch_add(1, Ordering::Relaxed) + 1);
        Voice { id, created: now.as_secs(), model: MODEL.into() }
    }

    fn write_down(&self, what: &Value) -> io::Result<()> {
        self.log
            .as_ref()
            .map_or(Ok(()), |log| writeln!(log.lock().unwrap_or_else(PoisonError::into_inner), "{what}"))
    }
}

fn finish(client: &mut TcpStream, voice: &Voice, ending: Ending, usage: Option<&Value>) -> io::Result<()> {
    http1::event(client, &voice.last(ending).to_string())?;
    if let Some(usage) = usage {
        http1::event(client, &voice.used(usage).to_string())?;
    }
    http1::event(client, "[DONE]")?;
    http1::end_stream(client)
}

fn ending(answer: &Answer) -> &'static str {
    openai::reason(answer.ending).unwrap_or("left")
}
