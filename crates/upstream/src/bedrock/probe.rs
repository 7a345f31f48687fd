//! Probes of a deployment, for `bedplate doctor`: each finding by itself, so that one failure does not
//! hide the next.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_wire::sigv4::{BodyDigest, parse_http_date};
use bytes::Bytes;
use http::header::{DATE, HOST};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Limited};

use super::Bedrock;
use super::auth::{Auth, bearer};
use super::headers::error_name;
use crate::host::Host;
use crate::pool::Slices;

/// What was found about one provider.
#[derive(Debug)]
pub struct Probe {
    /// The host of the runtime service, and how long a connection took.
    pub runtime: (String, Result<Duration, String>),
    /// The same for the catalogue's service.
    pub control: (String, Result<Duration, String>),
    /// How far our clock is ahead of AWS's, in seconds.
    pub ahead: Option<i64>,
    /// Bedrock's own invocation log of the account and region.
    pub logging: Result<Logging, String>,
}

/// Bedrock's own invocation log.
#[derive(Debug, PartialEq, Eq)]
pub enum Logging {
    Off,
    /// Where it goes, and whether texts are in it.
    On {
        s3: bool,
        cloudwatch: bool,
        text: bool,
    },
}

/// How long each probe may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Bedrock {
    /// Looks at the endpoints, the clock and Bedrock's own log settings. Costs nothing.
    pub async fn probe(self: &Arc<Self>) -> Probe {
        let runtime = connect(&self.runtime).await;
        let control = connect(&self.control).await;
        let asked = tokio::time::timeout(PATIENCE, self.get("/logging/modelinvocations")).await;
        let asked = asked.unwrap_or_else(|_| Err("no answer within 5 s".into()));
        let ahead =
            asked.as_ref().ok().and_then(|a| a.date).map(|date| self.clock.now().secs() - date.secs());
        let logging = asked.and_then(|answer| match answer.status {
            200 => Ok(logging(&answer.body)),
            status => Err(format!("status {status}: {}", answer.message())),
        });
        Probe {
            runtime: (self.runtime.authority.to_string(), runtime),
            control: (self.control.authority.to_string(), control),
            ahead,
            logging,
        }
    }

    /// A signed `GET` of the catalogue's service.
    pub(super) async fn get(&self, path: &str) -> Result<Got, String> {
        let mut request = Request::new(Slices::new(Vec::new()));
        *request.method_mut() = Method::GET;
        *request.uri_mut() =
            Uri::try_from(format!("{}{path}", self.control.base)).map_err(|e| e.to_string())?;
        let host = self.control.header().map_err(|e| e.to_string())?;
        request.headers_mut().insert(HOST, host);
        match &self.auth {
            Auth::Bearer(token) => {
                request.headers_mut().insert(http::header::AUTHORIZATION, bearer(token)?);
            }
            Auth::SigV4(signer) => {
                signer.sign(&mut request, BodyDigest::of(b"").bytes(), self.clock.now()).await?
            }
        }
        let mut lease = self.control.pool.connect().await.map_err(|e| e.to_string())?;
        let response = lease.send(request).await.map_err(|lost| lost.error.to_string())?;
        let date = response.headers().get(DATE).and_then(|v| v.to_str().ok()).and_then(parse_http_date);
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let body = Limited::new(body, 1 << 20).collect().await.map_err(|e| e.to_string())?;
        let body = body.to_bytes();
        let error = if status >= 400 { error_name(&head.headers, &body) } else { None };
        Ok(Got { status, date, error, body })
    }
}

pub(super) struct Got {
    pub(super) status: u16,
    date: Option<Timestamp>,
    /// AWS's name of an error.
    pub(super) error: Option<String>,
    pub(super) body: Bytes,
}

impl Got {
    pub(super) fn message(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Said {
            #[serde(alias = "Message")]
            message: Option<String>,
        }
        let said: Option<Said> = serde_json::from_slice(&self.body).ok();
        said.and_then(|s| s.message).unwrap_or_else(|| "no message".into())
    }
}

pub(crate) async fn connect(host: &Host) -> Result<Duration, String> {
    match tokio::time::timeout(PATIENCE, host.pool.connect()).await {
        Ok(Ok(lease)) => Ok(lease.connected_in.unwrap_or_default()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("no connection within 5 s".into()),
    }
}

fn logging(body: &[u8]) -> Logging {
    #[derive(serde::Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Answer {
        logging_config: Option<Config>,
    }
    #[derive(serde::Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Config {
        cloud_watch_config: Option<serde::de::IgnoredAny>,
        s3_config: Option<serde::de::IgnoredAny>,
        text_data_delivery_enabled: bool,
    }
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    answer.logging_config.map_or(Logging::Off, |c| Logging::On {
        s3: c.s3_config.is_some(),
        cloudwatch: c.cloud_watch_config.is_some(),
        text: c.text_data_delivery_enabled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_settings_are_read() {
        assert_eq!(logging(b"{}"), Logging::Off);
        let on =
            br#"{"loggingConfig":{"s3Config":{"bucketName":"b"},"textDataDeliveryEnabled":true,"new":1}}"#;
        assert_eq!(logging(on), Logging::On { s3: true, cloudwatch: false, text: true });
    }
}
