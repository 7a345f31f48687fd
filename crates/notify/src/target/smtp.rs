//! A mail.

use std::time::{Duration, UNIX_EPOCH};

use bedplate_core::BoxFuture;
use bedplate_core::notice::Notice;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Target, Trouble, set};
use crate::config::{Config, SmtpTls};
use crate::words;

pub(super) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Smtp {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let host = set("host", config.host.as_deref())?;
        let tls = config.tls.unwrap_or(SmtpTls::Starttls);
        let (usual, tls) = match tls {
            SmtpTls::Starttls => (587, Tls::Required(parameters(config, host)?)),
            SmtpTls::Implicit => (465, Tls::Wrapper(parameters(config, host)?)),
            SmtpTls::Off => (25, Tls::None),
        };
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(config.port.unwrap_or(usual))
            .tls(tls)
            .hello_name(ClientId::Domain(machine()))
            .timeout(Some(config.timeout.0));
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            let password = password.read()?;
            server = server.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|e| format!("`{text}`: {e}"));
        Ok(Self {
            server: server.build(),
            from: mailbox(set("from", config.from.as_ref())?)?,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    fn message(&self, notice: &Notice) -> Result<Message, lettre::error::Error> {
        let micros = u64::try_from(notice.at.0).unwrap_or(0);
        let mail: MessageBuilder = Message::builder()
            .from(self.from.clone())
            // the same for every try, so that a mail that came twice can be known
            .message_id(Some(format!("<{}@{}>", notice.id, self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            .subject(words::subject(notice))
            .header(ContentType::TEXT_PLAIN);
        let mail = self.to.iter().cloned().fold(mail, MessageBuilder::to);
        let mut mail = mail.body(words::plain(notice))?;
        // nobody's holiday answers it (RFC 3834)
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(mail)
    }
}

impl Target for Smtp {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let mail = self.message(notice).map_err(|e| Trouble::lasting(e.to_string()))?;
            match self.server.send(mail).await {
                Ok(_) => Ok(()),
                Err(e) if e.is_permanent() || e.is_client() => Err(Trouble::lasting(words::causes(&e))),
                Err(e) => Err(Trouble::passing(words::causes(&e))),
            }
        })
    }
}

fn parameters(config: &Config, host: &str) -> Result<TlsParameters, String> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.ca_file {
        let bad = |e: &dyn std::fmt::Display| format!("the CA file `{}` cannot be used: {e}", path.display());
        let pem = std::fs::read(path).map_err(|e| bad(&e))?;
        tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| bad(&e))?);
    }
    tls.build_rustls().map_err(|e| e.to_string())
}

/// What this machine calls itself to the server.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    if plain { name } else { "localhost".to_owned() }
}
