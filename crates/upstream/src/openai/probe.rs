//! A look at the server, for `bedplate doctor`.

use std::time::Duration;

use http::header::{AUTHORIZATION, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::OpenAi;
use crate::bedrock::probe::{PATIENCE, connect};
use crate::pool::Slices;

/// What was found about a server.
#[derive(Debug)]
pub struct Models {
    /// The host, and how long a connection took.
    pub runtime: (String, Result<Duration, String>),
    /// The names of its models.
    pub names: Result<Vec<String>, String>,
}

impl OpenAi {
    /// Looks at the endpoint and asks which models there are. Costs nothing.
    pub async fn probe(&self) -> Models {
        let connected = connect(&self.host).await;
        let asked = timeout(PATIENCE, self.models()).await;
        Models {
            runtime: (self.host.authority.to_string(), connected),
            names: asked.unwrap_or_else(|_| Err("no answer within 5 s".into())),
        }
    }

    async fn models(&self) -> Result<Vec<String>, String> {
        #[derive(serde::Deserialize)]
        struct List {
            data: Vec<Model>,
        }
        #[derive(serde::Deserialize)]
        struct Model {
            id: String,
        }
        let mut request = Request::new(Slices::new(Vec::new()));
        *request.uri_mut() =
            Uri::try_from(format!("{}/models", self.host.base)).map_err(|e| e.to_string())?;
        request.headers_mut().insert(HOST, self.host.header().map_err(|e| e.to_string())?);
        if let Some(key) = &self.key {
            request.headers_mut().insert(AUTHORIZATION, key.clone());
        }
        let mut lease = self.host.pool.connect().await.map_err(|e| e.to_string())?;
        let response = lease.send(request).await.map_err(|lost| lost.error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), 1 << 20).collect().await.map_err(|e| e.to_string())?;
        if status != 200 {
            return Err(format!("`GET {}/models` answers with status {status}", self.host.base));
        }
        let list: List = serde_json::from_slice(&body.to_bytes())
            .map_err(|_| format!("`GET {}/models` answers with no list of models", self.host.base))?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }
}
