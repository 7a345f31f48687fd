//! What is taken from the environment, as other programs on the machine take it.

use bedplate_upstream::{Config, Kind};

/// The region of the environment, as AWS's own tools choose it.
pub(crate) fn region() -> Option<String> {
    var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"))
}

/// `HTTPS_PROXY` and `NO_PROXY`, for providers that name no proxy themselves.
pub(crate) fn with_proxy(mut config: Config) -> Config {
    let plain = config.endpoints.runtime.as_ref().is_some_and(|url| url.starts_with("http://"));
    let proxied = match config.kind {
        Kind::Bedrock => true,
        // the server on this machine, or beside it
        Kind::OpenAi => !plain,
        Kind::Sim => false,
    };
    if proxied && config.proxy.is_none() {
        config.proxy = var("HTTPS_PROXY").or_else(|| var("https_proxy"));
        let no = var("NO_PROXY").or_else(|| var("no_proxy")).unwrap_or_default();
        let host = config
            .endpoints
            .runtime
            .clone()
            .unwrap_or_else(|| format!("https://bedrock-runtime.{}.amazonaws.com", config.region));
        if exempt(&host, &no) {
            config.proxy = None;
        }
    }
    config
}

/// Whether `NO_PROXY` names the host of `url`, or a domain above it.
fn exempt(url: &str, no_proxy: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    no_proxy.split(',').map(|entry| entry.trim().trim_start_matches('.')).any(|entry| {
        entry == "*" || (!entry.is_empty() && (host == entry || host.ends_with(&format!(".{entry}"))))
    })
}

#[expect(clippy::disallowed_methods, reason = "the home of the environment's customary settings")]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_names_hosts_and_domains() {
        assert!(exempt("http://127.0.0.1:9000", "localhost,127.0.0.1"));
        assert!(exempt("https://bedrock-runtime.us-east-1.amazonaws.com", ".amazonaws.com"));
        assert!(!exempt("https://bedrock-runtime.us-east-1.amazonaws.com", "example.com,"));
        assert!(exempt("https://x", "*"));
    }
}
