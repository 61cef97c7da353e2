//! Asking all key servers of the enrolled places, side by side, for as long
//! as it takes. One that is wrong, slow, silent or hostile costs nothing but
//! itself.

use core::fmt::Write;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;
use nix::poll::PollFlags;

use super::conversation::{Conversation, NoReply, Request};
use super::exchange::{BadPoint, Question};
use super::http::Reply;
use super::jwk::{parse_answer, question, thumbprint, thumbprint_text};
use crate::environment::factors::server_label;
use crate::keys::Secret32;
use crate::vault::{EnvironmentSlot, KeyServer, Label, MAX_PLACES, MAX_SERVERS, Value};

const MAX_ASKED: usize = MAX_SERVERS * MAX_PLACES;

/// The value of a server that answers, and does not know the key: something
/// else stands at its address, or its owner has destroyed the key.
pub const UNKNOWN_KEY: &[u8] = b"unknown key";

/// After an answer. A right one opens before that; behind a wrong one the
/// right server may still come to life.
const AFTER_AN_ANSWER: Duration = Duration::from_secs(10);
/// After somebody was there who did not answer as a key server does.
const AFTER_NONSENSE: Duration = Duration::from_secs(2);

/// A question is made beforehand for whom it is asked so soon.
const SOON: Duration = Duration::from_secs(1);

/// How long to wait after there was no way to a server: a link, an address or
/// a router comes at any moment, and asking costs next to nothing.
fn pause_after(failures: u32) -> Duration {
    Duration::from_millis(match failures {
        0..=8 => 25,
        9..=25 => 200,
        _ => 1000,
    })
}

/// The request for one exchange. The server takes any HTTP/1.1.
fn request(server: &KeyServer, asked: &Question) -> Request {
    let print = thumbprint_text(&thumbprint(&server.exchange));
    let body = question(server.exchange.curve, &asked.x);
    let mut request = Request::new();
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

/// What a whole reply says.
fn read(question: &Question, reply: &Reply) -> Result<Value, BadPoint> {
    let value = match reply.status {
        200 => {
            let answer = parse_answer(&reply.body)?;
            question.finish(&answer)?
        }
        404 => return Ok(UNKNOWN_KEY.iter().copied().collect()),
        _ => return Err(BadPoint),
    };
    Ok(factor_value(&value))
}

/// The value as a factor has it.
pub fn factor_value(value: &Secret32) -> Value {
    value.expose().iter().copied().collect()
}

/// A question, and the request that asks it.
type Prepared = (Box<Question>, Request);

fn question_to(server: &KeyServer) -> Result<Prepared, BadPoint> {
    let question = Question::new(&server.exchange, &server.ours)?;
    let request = request(server, &question);
    Ok((Box::new(question), request))
}

enum State {
    Resting {
        until: Instant,
        /// Nobody was there; else somebody was.
        no_way: bool,
    },
    Talking(Box<Conversation>, Box<Question>),
}

struct Asked {
    label: Label,
    server: KeyServer,
    state: State,
    /// The next question, if it was made already.
    ready: Option<Result<Prepared, BadPoint>>,
    failures: u32,
}

impl Asked {
    /// When something is to be done without anything having come.
    fn due(&self) -> Instant {
        match &self.state {
            State::Resting { until, .. } => *until,
            State::Talking(conversation, _) => conversation.deadline(),
        }
    }

    fn begin(&mut self, now: Instant) {
        let (question, request) = match self.ready.take() {
            Some(Ok(ready)) => ready,
            // What is stored is damaged: it is as good as silent.
            Some(Err(BadPoint)) => return self.rest(now, AFTER_AN_ANSWER),
            None => return,
        };
        match Conversation::begin(self.server.address, now, request.clone()) {
            Ok(conversation) => {
                self.state = State::Talking(Box::new(conversation), question);
            }
            // It was not sent: it can be asked later.
            Err(why) => {
                self.ready = Some(Ok((question, request)));
                self.failed(now, why);
            }
        }
    }

    /// Makes the question that will be asked soon; false when there is none to make.
    fn make_question(&mut self, now: Instant) -> bool {
        let soon = now + SOON;
        let is_soon = matches!(self.state, State::Resting { until, .. } if until <= soon);
        let wanted = is_soon && self.ready.is_none();
        if wanted {
            self.ready = Some(question_to(&self.server));
        }
        wanted
    }

    /// Computes what the answer will be read with; false when nothing is to be
    /// computed.
    fn expect_answer(&self) -> bool {
        match (&self.state, &self.ready) {
            (State::Talking(_, question), _) | (_, Some(Ok((question, _)))) => {
                question.expect_answer()
            }
            _ => false,
        }
    }

    fn failed(&mut self, now: Instant, why: NoReply) {
        self.failures = self.failures.saturating_add(1);
        log::debug!("{}: {why}", self.label);
        if why.is_of_somebody() {
            return self.rest(now, AFTER_NONSENSE);
        }
        self.state = State::Resting {
            until: now + pause_after(self.failures),
            no_way: true,
        };
    }

    /// After somebody was there.
    fn rest(&mut self, now: Instant, pause: Duration) {
        self.state = State::Resting {
            until: now + pause,
            no_way: false,
        };
    }

    /// Does what can be done now.
    fn drive(&mut self, now: Instant) -> Option<Value> {
        match &mut self.state {
            State::Resting { until, .. } if *until <= now => {
                self.begin(now);
                None
            }
            State::Resting { .. } => None,
            State::Talking(conversation, question) => match conversation.drive(now) {
                Ok(None) => None,
                Ok(Some(reply)) => match read(question, &reply) {
                    Ok(value) => {
                        self.failures = 0;
                        self.rest(now, AFTER_AN_ANSWER);
                        Some(value)
                    }
                    Err(BadPoint) => {
                        self.rest(now, AFTER_NONSENSE);
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

/// The key servers of some places, and how far each has come.
#[derive(Default)]
pub struct KeyServers {
    asked: Vec<Asked, MAX_ASKED>,
}

impl KeyServers {
    /// Those of all places; asked from `now` on.
    pub fn of(places: &[Box<EnvironmentSlot>], now: Instant) -> Self {
        let mut asked = Vec::new();
        for place in places {
            for server in &place.servers {
                // As many as two places can have.
                let _ = asked.push(Asked {
                    label: server_label(server.address, &place.name),
                    server: server.clone(),
                    state: State::Resting {
                        until: now,
                        no_way: true,
                    },
                    ready: None,
                    failures: 0,
                });
            }
        }
        Self { asked }
    }

    /// When [`KeyServers::drive`] is due, whatever comes; `None` where nobody
    /// is asked.
    pub fn next(&self) -> Option<Instant> {
        self.asked.iter().map(Asked::due).min()
    }

    /// What to poll, and what for.
    pub fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.asked.iter().filter_map(|asked| match &asked.state {
            State::Resting { .. } => None,
            State::Talking(conversation, _) => Some((conversation.as_fd(), conversation.flags())),
        })
    }

    /// There is a way that was not there before: who could not be reached is asked
    /// at once.
    pub fn ask_soon(&mut self, now: Instant) {
        for asked in &mut self.asked {
            if let State::Resting {
                until,
                no_way: true,
            } = &mut asked.state
            {
                *until = now;
            }
        }
    }

    /// Computes for one server what needs no waiting, while the network comes up or
    /// a server has its question: all questions first, then what each answer is read
    /// with. False when nothing is to be computed. One at a time: what else has
    /// happened comes first.
    pub fn work_ahead(&mut self, now: Instant) -> bool {
        let mut asked = self.asked.iter_mut();
        asked.any(|asked| asked.make_question(now)) || self.asked.iter().any(Asked::expect_answer)
    }

    /// Goes on with all of them, as far as [`KeyServers::work_ahead`] has come; the
    /// answers that are whole.
    pub fn drive(&mut self, now: Instant) -> Vec<(Label, Value), MAX_ASKED> {
        let answers = self.asked.iter_mut().filter_map(|asked| {
            let value = asked.drive(now)?;
            Some((asked.label.clone(), value))
        });
        answers.collect()
    }
}

/// One request, waited for: for commands.
///
/// # Errors
/// [`NoReply`].
#[cfg(feature = "admin")]
pub fn ask_once(address: core::net::SocketAddr, request: &Request) -> Result<Reply, NoReply> {
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
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, timeout);
    }
}

/// One exchange with one server, waited for.
///
/// # Errors
/// Why there was no value, in words.
#[cfg(feature = "admin")]
pub fn recover_once(server: &KeyServer) -> Result<Value, String> {
    let damaged = |BadPoint| "its answer is no point of the curve".to_owned();
    let (question, request) = question_to(server).map_err(damaged)?;
    let reply = ask_once(server.address, &request).map_err(|why| why.to_string())?;
    let value = read(&question, &reply).map_err(damaged)?;
    match value.as_slice() == UNKNOWN_KEY {
        true => Err("it does not know the key".into()),
        false => Ok(value),
    }
}
