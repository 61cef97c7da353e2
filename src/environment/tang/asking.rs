//! Asks all key servers of the enrolled places side by side, again and again.
//! One that is wrong, slow, silent or hostile does not delay the others.

use core::fmt::Write;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;
use nix::poll::PollFlags;

use super::conversation::{Conversation, HttpRequest, NoReply};
use super::exchange::{BadPoint, Exchange};
use super::http::Reply;
use super::jwk::{exchange_json, parse_answer, thumbprint, thumbprint_text};
use crate::environment::factors::{UNKNOWN_KEY, server_label};
use crate::keys::Secret32;
use crate::vault::{EnvironmentSlot, KeyServer, Label, MAX_PLACES, MAX_SERVERS, Value};

const MAX_ASKED: usize = MAX_SERVERS * MAX_PLACES;

/// Pause after an answer. A right answer opens the server before that; after a
/// wrong one the right server may still appear.
const RETRY_AFTER_ANSWER: Duration = Duration::from_secs(10);
/// Pause after a connection that brought no answer of a key server.
const RETRY_AFTER_NONSENSE: Duration = Duration::from_secs(2);

/// Exchanges that are due within this time are prepared in advance.
const PREPARE_BEFORE: Duration = Duration::from_secs(1);

/// Pause after a server could not be reached: a link, an address or a router
/// may come at any moment, and asking costs next to nothing.
fn pause_after(failures: u32) -> Duration {
    Duration::from_millis(match failures {
        0..=8 => 25,
        9..=25 => 200,
        _ => 1000,
    })
}

/// The HTTP request of one exchange.
fn request(server: &KeyServer, asked: &Exchange) -> HttpRequest {
    let print = thumbprint_text(&thumbprint(&server.exchange));
    let body = exchange_json(server.exchange.curve, &asked.x);
    let mut request = HttpRequest::new();
    let written = write!(
        request,
        "POST /rec/{print} HTTP/1.1\r\nHost: {}\r\nUser-Agent: stayput\r\n\
         Content-Type: application/jwk+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        server.address,
        body.len(),
    );
    written.expect("a request with a key of the largest curve fits");
    request
}

/// The value that a whole reply gives.
fn read(exchange: &Exchange, reply: &Reply) -> Result<Value, BadPoint> {
    let value = match reply.status {
        200 => {
            let answer = parse_answer(&reply.body)?;
            exchange.finish(&answer)?
        }
        404 => return Ok(UNKNOWN_KEY.iter().copied().collect()),
        _ => return Err(BadPoint),
    };
    Ok(factor_value(&value))
}

/// The 32 bytes of an exchange as a factor's value.
pub fn factor_value(value: &Secret32) -> Value {
    value.expose().iter().copied().collect()
}

/// An exchange, and the request for it.
type PreparedExchange = (Box<Exchange>, HttpRequest);

fn prepare(server: &KeyServer) -> Result<PreparedExchange, BadPoint> {
    let exchange = Exchange::new(&server.exchange, &server.ours)?;
    let request = request(server, &exchange);
    Ok((Box::new(exchange), request))
}

enum AskingState {
    Resting {
        until: Instant,
        /// Whether the server could not be reached.
        unreachable: bool,
    },
    Asking(Box<Conversation>, Box<Exchange>),
    /// It was to be asked once, and was.
    Done,
}

struct AskedServer {
    label: Label,
    server: KeyServer,
    state: AskingState,
    /// The next exchange, if it was prepared already.
    ready: Option<Result<PreparedExchange, BadPoint>>,
    failures: u32,
    /// Whether one request is all that it gets.
    once: bool,
}

impl AskedServer {
    /// To be asked from `now` on.
    fn new(label: Label, server: KeyServer, once: bool, now: Instant) -> Self {
        Self {
            label,
            server,
            state: AskingState::Resting {
                until: now,
                unreachable: true,
            },
            ready: None,
            failures: 0,
            once,
        }
    }

    /// When something is to be done even if nothing arrives.
    fn due(&self) -> Option<Instant> {
        match &self.state {
            AskingState::Resting { until, .. } => Some(*until),
            AskingState::Asking(conversation, _) => Some(conversation.deadline()),
            AskingState::Done => None,
        }
    }

    fn begin(&mut self, now: Instant) {
        let (exchange, request) = match self.ready.take() {
            Some(Ok(ready)) => ready,
            // The stored keys are damaged: treated as a silent server.
            Some(Err(BadPoint)) => return self.rest(now, RETRY_AFTER_ANSWER),
            None => return,
        };
        match Conversation::begin(self.server.address, now, request.clone()) {
            Ok(conversation) => {
                self.state = AskingState::Asking(Box::new(conversation), exchange);
            }
            // The request was not sent: it can be used later.
            Err(why) => {
                self.ready = Some(Ok((exchange, request)));
                self.failed(now, why);
            }
        }
    }

    /// Prepares the next exchange when it is due soon; returns whether there
    /// was one to prepare.
    fn prepare_next(&mut self, now: Instant) -> bool {
        let soon = now + PREPARE_BEFORE;
        let is_soon = matches!(self.state, AskingState::Resting { until, .. } if until <= soon);
        let wanted = is_soon && self.ready.is_none();
        if wanted {
            self.ready = Some(prepare(&self.server));
        }
        wanted
    }

    /// Computes what the answer will be read with; returns whether there was
    /// something to compute.
    fn precompute(&self) -> bool {
        match (&self.state, &self.ready) {
            (AskingState::Asking(_, exchange), _) | (_, Some(Ok((exchange, _)))) => {
                exchange.precompute()
            }
            _ => false,
        }
    }

    fn failed(&mut self, now: Instant, why: NoReply) {
        self.failures = self.failures.saturating_add(1);
        log::debug!("{}: {why}", self.label);
        if why.was_reached() {
            return self.rest(now, RETRY_AFTER_NONSENSE);
        }
        self.state = match self.once {
            true => AskingState::Done,
            false => AskingState::Resting {
                until: now + pause_after(self.failures),
                unreachable: true,
            },
        };
    }

    /// Waits before the next exchange.
    fn rest(&mut self, now: Instant, pause: Duration) {
        self.state = match self.once {
            true => AskingState::Done,
            false => AskingState::Resting {
                until: now + pause,
                unreachable: false,
            },
        };
    }

    /// Does what can be done now.
    fn drive(&mut self, now: Instant) -> Option<Value> {
        match &mut self.state {
            AskingState::Resting { until, .. } if *until <= now => {
                self.begin(now);
                None
            }
            AskingState::Resting { .. } | AskingState::Done => None,
            AskingState::Asking(conversation, exchange) => match conversation.drive(now) {
                Ok(None) => None,
                Ok(Some(reply)) => match read(exchange, &reply) {
                    Ok(value) => {
                        self.failures = 0;
                        self.rest(now, RETRY_AFTER_ANSWER);
                        Some(value)
                    }
                    Err(BadPoint) => {
                        self.rest(now, RETRY_AFTER_NONSENSE);
                        None
                    }
                },
                Err(why) => {
                    self.failed(now, why);
                    None
                }
            },
        }
    }
}

/// The key servers of the places, and how far the exchange with each has come.
#[derive(Default)]
pub struct KeyServers {
    asked: Vec<AskedServer, MAX_ASKED>,
}

impl KeyServers {
    /// The key servers of these places; asked from `now` on.
    pub fn of(places: &[Box<EnvironmentSlot>], now: Instant) -> Self {
        let mut asked = Vec::new();
        for place in places {
            for server in &place.servers {
                let label = server_label(server.address, &place.name);
                // There is room for the servers of two places.
                let _ = asked.push(AskedServer::new(label, server.clone(), false, now));
            }
        }
        Self { asked }
    }

    /// These key servers, with one request for each, from `now` on.
    #[cfg(feature = "admin")]
    pub fn asked_once(servers: &[(Label, KeyServer)], now: Instant) -> Self {
        let asked = servers.iter();
        let asked =
            asked.map(|(label, server)| AskedServer::new(label.clone(), server.clone(), true, now));
        Self {
            asked: asked.take(MAX_ASKED).collect(),
        }
    }

    /// When [`KeyServers::drive`] is due even if nothing arrives; `None` where
    /// there are no key servers.
    pub fn next(&self) -> Option<Instant> {
        self.asked.iter().filter_map(AskedServer::due).min()
    }

    /// The sockets to poll, and the events to poll for.
    pub fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.asked.iter().filter_map(|asked| match &asked.state {
            AskingState::Resting { .. } | AskingState::Done => None,
            AskingState::Asking(conversation, _) => {
                Some((conversation.as_fd(), conversation.flags()))
            }
        })
    }

    /// Makes servers that could not be reached due now, because there may be a
    /// route to them.
    pub fn ask_soon(&mut self, now: Instant) {
        for asked in &mut self.asked {
            if let AskingState::Resting {
                until,
                unreachable: true,
            } = &mut asked.state
            {
                *until = now;
            }
        }
    }

    /// Does one computation in advance, while the network comes up or a server
    /// works: first it prepares the exchanges, then it computes what each
    /// answer is read with. Returns whether there was something to compute.
    /// Only one at a time, so that the caller can handle other events in
    /// between.
    pub fn work_ahead(&mut self, now: Instant) -> bool {
        let mut asked = self.asked.iter_mut();
        asked.any(|asked| asked.prepare_next(now)) || self.asked.iter().any(AskedServer::precompute)
    }

    /// Continues all exchanges whose request was prepared; returns the answers
    /// that are complete.
    pub fn drive(&mut self, now: Instant) -> Vec<(Label, Value), MAX_ASKED> {
        let answers = self.asked.iter_mut().filter_map(|asked| {
            let value = asked.drive(now)?;
            Some((asked.label.clone(), value))
        });
        answers.collect()
    }
}

/// Sends one request and waits for the reply; for commands.
///
/// # Errors
/// [`NoReply`], after [`super::conversation::WHOLE`] at the latest.
#[cfg(feature = "admin")]
pub fn ask_once(address: core::net::SocketAddr, request: &HttpRequest) -> Result<Reply, NoReply> {
    use nix::poll::{PollFd, PollTimeout, poll};
    let mut conversation = Conversation::begin(address, Instant::now(), request.clone())?;
    loop {
        let now = Instant::now();
        if let Some(reply) = conversation.drive(now)? {
            return Ok(reply);
        }
        let left = conversation.deadline().saturating_duration_since(now);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(conversation.as_fd(), conversation.flags())];
        // A signal may end the wait early, which does no harm.
        let _ = poll(&mut fds, timeout);
    }
}

/// Does one exchange with one server and waits for its value; for commands.
///
/// # Errors
/// A text that says why there was no value.
#[cfg(feature = "admin")]
pub fn recover_once(server: &KeyServer) -> Result<Value, String> {
    let damaged = |BadPoint| "its answer is no point of the curve".to_owned();
    let (exchange, request) = prepare(server).map_err(damaged)?;
    let reply = ask_once(server.address, &request).map_err(|why| why.to_string())?;
    let value = read(&exchange, &reply).map_err(damaged)?;
    match value.as_slice() == UNKNOWN_KEY {
        true => Err("it does not know the key".into()),
        false => Ok(value),
    }
}
