//! Where a host is, as the system's resolver says: asked once at a time, for however many callers.
//!
//! The resolver cannot be interrupted. When it hangs, as it does for ten seconds and more when no name
//! server answers, one thread a host waits for it, and callers leave at their own deadlines. A thread of
//! its own: on a runtime's pool it would be in the way of other names, and hold up a drain.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

type Found = Result<Arc<[SocketAddr]>, (io::ErrorKind, Arc<str>)>;
type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The addresses of one host and port.
pub(super) struct Names {
    host: Arc<str>,
    port: u16,
    resolver: Arc<Resolver>,
    /// The question under way, or the last one.
    asked: Mutex<Option<watch::Receiver<Option<Found>>>>,
}

impl Names {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::with(host, port, |host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    fn with(
        host: &str,
        port: u16,
        resolver: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { host: host.into(), port, resolver: Arc::new(resolver), asked: Mutex::default() }
    }

    /// All addresses, in the resolver's order; never none.
    pub(super) async fn addresses(&self) -> io::Result<Arc<[SocketAddr]>> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok([SocketAddr::new(ip, self.port)].into());
        }
        let mut answer = self.ask()?;
        let found = match answer.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            Err(_) => None,
        };
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err((kind, said))) => Err(io::Error::new(kind, said.to_string())),
            None => Err(io::Error::other(format!("the name `{}` was not looked up", self.host))),
        }
    }

    /// Joins the question under way, or asks.
    fn ask(&self) -> io::Result<watch::Receiver<Option<Found>>> {
        let mut asked = self.asked.lock();
        if let Some(answer) = &*asked
            && answer.borrow().is_none()
            && answer.has_changed().is_ok()
        {
            return Ok(answer.clone());
        }
        let (say, answer) = watch::channel(None);
        let (host, port, resolver) = (Arc::clone(&self.host), self.port, Arc::clone(&self.resolver));
        let thread = std::thread::Builder::new().name("resolve".into());
        thread.spawn(move || say.send_replace(Some(resolve(&*resolver, &host, port))))?;
        *asked = Some(answer.clone());
        Ok(answer)
    }
}

fn resolve(resolver: &Resolver, host: &str, port: u16) -> Found {
    match resolver(host, port) {
        Ok(addresses) if addresses.is_empty() => {
            Err((io::ErrorKind::NotFound, format!("the name `{host}` has no address").into()))
        }
        Ok(addresses) => Ok(addresses.into()),
        Err(e) => Err((e.kind(), format!("the name `{host}` cannot be looked up: {e}").into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    /// A resolver that answers when it is told to, and counts what it was asked.
    fn slow() -> (Names, Arc<AtomicU32>, std::sync::mpsc::Sender<io::Result<Vec<SocketAddr>>>) {
        let (say, hear) = std::sync::mpsc::channel::<io::Result<Vec<SocketAddr>>>();
        let (asked, hear) = (Arc::new(AtomicU32::new(0)), Mutex::new(hear));
        let count = Arc::clone(&asked);
        let names = Names::with("bedrock.example", 443, move |host, port| {
            assert_eq!((host, port), ("bedrock.example", 443));
            count.fetch_add(1, Ordering::SeqCst);
            hear.lock().recv().unwrap()
        });
        (names, asked, say)
    }

    #[tokio::test]
    async fn callers_who_gave_up_leave_one_question_behind() {
        let (names, asked, say) = slow();
        for _ in 0..50 {
            let answer = tokio::time::timeout(Duration::from_millis(1), names.addresses()).await;
            assert!(answer.is_err(), "nobody has answered yet");
        }
        // these two wait before the answer comes
        let answer = async { say.send(Ok(vec!["192.0.2.7:443".parse().unwrap()])).unwrap() };
        let (one, two, ()) = tokio::join!(names.addresses(), names.addresses(), answer);
        assert_eq!(one.unwrap()[..], two.unwrap()[..]);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn every_caller_hears_the_error_and_the_next_one_asks_again() {
        let (names, asked, say) = slow();
        say.send(Err(io::Error::other("no such host"))).unwrap();
        let said = names.addresses().await.unwrap_err().to_string();
        assert_eq!(said, "the name `bedrock.example` cannot be looked up: no such host");
        say.send(Ok(vec![])).unwrap();
        assert_eq!(names.addresses().await.unwrap_err().kind(), io::ErrorKind::NotFound);
        say.send(Ok(vec!["192.0.2.7:443".parse().unwrap()])).unwrap();
        assert_eq!(names.addresses().await.unwrap()[..], ["192.0.2.7:443".parse().unwrap()]);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_resolver_that_dies_hangs_nobody() {
        let (names, _, say) = slow();
        drop(say); // its thread panics
        assert!(names.addresses().await.is_err());
        assert!(names.addresses().await.is_err());
    }

    #[tokio::test]
    async fn an_address_is_no_question() {
        let names = Names::with("::1", 7, |_, _| unreachable!());
        assert_eq!(names.addresses().await.unwrap()[..], ["[::1]:7".parse().unwrap()]);
    }
}
