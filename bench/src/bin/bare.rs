//! A reverse proxy with nothing in it: what hyper alone costs. It reads a request's body, sends it on over
//! a kept connection and passes the answer through. No authentication, no records, no limits.
//!
//!   bare --listen 127.0.0.1:9201 --upstream 127.0.0.1:9100

use bedplate_bench::args::Args;
use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpSocket;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let args = Args::of_process();
    let upstream: Authority = args.need("--upstream")?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(args.need("--listen")?)?;
    let listener = socket.listen(4096)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |request| forward(client.clone(), upstream.clone(), request));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
    }
}

async fn forward(
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: Authority,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, Failed> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    head.headers.insert(HOST, HeaderValue::from_str(upstream.as_str())?);
    head.headers.remove(CONNECTION);
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(upstream).path_and_query(path);
    head.uri = uri.build()?;
    let mut response = client.request(Request::from_parts(head, Full::new(body))).await?;
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}
