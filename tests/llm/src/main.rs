//! A test server: SmolLM2, a language model of 135 million weights, behind OpenAI's chat completions.
//!
//! `bedplate-llm --model FILE.gguf [--listen 127.0.0.1:0] [--key KEY] [--log FILE] [--seconds 600]`
//!
//! Prints a line of JSON when it listens. It answers one at a time, always with the likeliest words, and ends by
//! itself after so many seconds. The log has a line of JSON for each request that was read: what came, what the model
//! said to it, and how that ended.

mod chat;
mod gguf;
mod http1;
mod llama;
mod matrix;
mod openai;
mod service;
mod spoken;
mod vocabulary;

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::chat::Speaker;
use crate::service::Service;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bedplate-llm: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let mut settings =
        [("--model", None), ("--listen", None), ("--key", None), ("--log", None), ("--seconds", None)];
    for pair in arguments.chunks(2) {
        let setting = settings.iter_mut().find(|(name, _)| *name == pair[0]);
        let (_, value) = setting.ok_or_else(|| format!("`{}` is not known", pair[0]))?;
        *value = Some(pair.get(1).ok_or_else(|| format!("`{}` has no value", pair[0]))?.as_str());
    }
    let [(_, model), (_, listen), (_, key), (_, log), (_, seconds)] = settings;
    let seconds = seconds.unwrap_or("600").parse().map_err(|_| "`--seconds` is no number")?;
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        std::process::exit(3);
    });
    let speaker = load(model.ok_or("which model? give `--model FILE.gguf`")?)?;
    let service = Arc::new(Service::new(speaker, key, log)?);
    let listener =
        TcpListener::bind(listen.unwrap_or("127.0.0.1:0")).map_err(|e| format!("cannot listen: {e}"))?;
    let address = listener.local_addr().map_err(|e| format!("cannot listen: {e}"))?;
    println!("{}", json!({"url": format!("http://{address}/v1"), "model": service::MODEL}));
    for client in listener.incoming().flatten() {
        let service = Arc::clone(&service);
        std::thread::spawn(move || service.serve(client));
    }
    Ok(())
}

fn load(path: &str) -> Result<Speaker, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
    let file = gguf::File::read(bytes.leak())?;
    Speaker::new(llama::Model::load(&file)?, vocabulary::Vocabulary::load(&file)?)
}
