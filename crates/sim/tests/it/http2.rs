//! HTTP/2 in the clear, and a request that signs `:authority` as the JavaScript SDK does.

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{NOVA, now, question, quiet, start};

fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

#[tokio::test]
async fn authority_may_be_signed_in_place_of_host() {
    let sim = start(quiet()).await;
    let (id, secret) = sim.credentials();
    let body = question("Hi?");
    let since = now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = time::OffsetDateTime::from_unix_timestamp(i64::try_from(since).unwrap()).unwrap();
    let stamp =
        at.format(time::macros::format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
    let scope = format!("{}/us-east-1/bedrock/aws4_request", &stamp[..8]);
    let names = ":authority;amz-sdk-request;content-length;content-type;x-amz-content-sha256;x-amz-date";
    let canonical = format!(
        "POST\n{}\n\n:authority:{}\namz-sdk-request:attempt=1; max=3\ncontent-length:{}\ncontent-type:application/json\nx-amz-content-sha256:{}\nx-amz-date:{stamp}\n\n{names}\n{}",
        NOVA.replace('%', "%25"),
        sim.addr(),
        body.len(),
        sha256(body.as_bytes()),
        sha256(body.as_bytes()),
    );
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let key = generate_signing_key(secret.expose(), now(), "us-east-1", "bedrock");
    let signature = calculate_signature(key, text.as_bytes());
    let make = |signature: &str| {
        http::Request::post(format!("http://{}{NOVA}", sim.addr()))
            .header("amz-sdk-request", "attempt=1; max=3")
            .header("content-length", body.len())
            .header("content-type", "application/json")
            .header("x-amz-content-sha256", sha256(body.as_bytes()))
            .header("x-amz-date", &stamp)
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
                ),
            )
            .body(Full::new(Bytes::from(body.clone())))
            .unwrap()
    };
    let socket = TcpStream::connect(sim.addr()).await.unwrap();
    let (mut sender, conn) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let mut work = JoinSet::new();
    work.spawn(async move {
        let _ = conn.await;
    });
    let reply = sender.send_request(make(&signature)).await.unwrap();
    let status = reply.status();
    let text = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, 200, "{text:?}");
    let forged = sender.send_request(make(&signature.replace(['0', '1'], "2"))).await.unwrap();
    assert_eq!(forged.status(), 403);
}
