//! The `bedplate` binary: command line, configuration root, composition root.

#![recursion_limit = "256"]

mod app;
mod cli;
mod commands;
mod exit;
mod out;
mod project;
mod settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
