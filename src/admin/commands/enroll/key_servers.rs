//! Enrols key servers (Tang): each is found by its address, identified by its
//! thumbprint, and tried before anything is written.

use core::net::{IpAddr, SocketAddr};
use std::net::UdpSocket;
use std::process::Command;

use crate::admin::ask;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::program;
use crate::admin::tang_advertisement::fetch_advertisement;
use crate::environment::{
    Advertisement, ChosenFactor, Thumbprint, enrol_with_server, factor_value, is_public,
    parse_thumbprint, recover_once, server_label, thumbprint, thumbprint_text,
};
use crate::vault::{Group, KeyServer, MAX_SERVERS, PublicKey, Value};

#[derive(clap::Args, Debug, Default)]
pub struct KeyServerOptions {
    /// A key server (Tang) at this place, for example http://192.168.1.5:7500:
    /// without it nobody opens the vault elsewhere. Names are resolved now
    #[arg(long, value_name = "URL")]
    pub tang: Vec<String>,
    /// The signing key that the key server must have, instead of the question
    /// (`tang-show-keys` prints it there)
    // Base64url: one of 64 begins with a hyphen.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    pub thumbprint: Vec<String>,
    /// How many key servers must answer (default: half of them)
    #[arg(long, value_name = "K", requires = "tang")]
    pub tang_need: Option<u8>,
    /// Count key servers among the neighbours, so that the place opens without
    /// them too. That is as weak as neighbours alone
    #[arg(long, requires = "tang", conflicts_with = "tang_need")]
    pub tang_as_neighbour: bool,
}

/// A key server that has answered correctly once.
pub struct EnrolledServer {
    /// For the place's slot.
    pub server: KeyServer,
    /// The factor's value, which only this server's answer gives.
    pub value: Value,
}

impl EnrolledServer {
    /// The key server as a factor of this place.
    pub fn chosen(&self, group: Group, place: &str) -> ChosenFactor {
        ChosenFactor {
            group,
            label: server_label(self.server.address, place),
            value: self.value.clone(),
        }
    }
}

impl KeyServerOptions {
    /// The group that its factor counts in.
    pub fn group(&self) -> Group {
        match self.tang_as_neighbour {
            true => Group::Neighbours,
            false => Group::Servers,
        }
    }

    /// Asks each key server for its keys, has a person compare the thumbprint,
    /// and tries one exchange.
    ///
    /// # Errors
    /// When one of them cannot be enrolled.
    pub fn enrol(&self, yes: bool) -> Result<Vec<EnrolledServer>> {
        if self.tang.len() > MAX_SERVERS {
            return Err(Problem::new(
                Exit::Usage,
                format!("A place has {MAX_SERVERS} key servers at most."),
                "Name fewer with --tang.",
            ));
        }
        let pinned: Vec<Thumbprint> = self
            .thumbprint
            .iter()
            .map(|text| {
                parse_thumbprint(text).ok_or_else(|| {
                    Problem::new(
                        Exit::Usage,
                        format!("\"{text}\" is no thumbprint."),
                        "A thumbprint has 43 letters: run tang-show-keys on the key server.",
                    )
                })
            })
            .collect::<Result<_>>()?;
        let mut found: Vec<EnrolledServer> = Vec::new();
        for url in &self.tang {
            let address = resolve(url)?;
            if found.iter().any(|known| known.server.address == address) {
                return Err(refused(address, "it is named twice"));
            }
            found.push(enrol_one(address, &pinned, yes)?);
        }
        Ok(found)
    }
}

/// Asks a key server for its keys, and returns the thumbprints of its signing keys, as
/// `tang-show-keys` prints them there. Asks the person where the address is a public one.
///
/// # Errors
/// When it does not answer, or cannot be enrolled.
pub fn thumbprints(url: &str) -> Result<Vec<String>> {
    let address = resolve(url)?;
    accept_address(address, false)?;
    let advertisement = fetch_advertisement(address, &[]).map_err(|why| refused(address, why))?;
    let prints = advertisement.thumbprints();
    Ok(prints
        .map(|print| thumbprint_text(&print).to_string())
        .collect())
}

fn refused(address: SocketAddr, why: impl core::fmt::Display) -> Problem {
    Problem::refused(
        format!("The key server {address} cannot be enrolled: {why}."),
        "Nothing was changed. Check the key server, or leave it out.",
    )
}

fn enrol_one(address: SocketAddr, pinned: &[Thumbprint], yes: bool) -> Result<EnrolledServer> {
    println!("Key server {address}:");
    accept_address(address, yes)?;
    let advertisement = fetch_advertisement(address, &[]).map_err(|why| refused(address, why))?;
    show_signing_keys(&advertisement);
    let signing = compared(address, &advertisement, pinned, yes)?;
    with_key(address, &advertisement.exchange[0], &signing)
}

/// Orders the signing keys: the one that was identified comes first.
fn compared(
    address: SocketAddr,
    advertisement: &Advertisement,
    pinned: &[Thumbprint],
    yes: bool,
) -> Result<Vec<PublicKey>> {
    let is_pinned = |key: &PublicKey| pinned.contains(&thumbprint(key));
    if pinned.is_empty() {
        compare(yes)?;
    } else if !advertisement.signing.iter().any(is_pinned) {
        let why = "none of its signing keys has the thumbprint that was given";
        return Err(refused(address, why));
    }
    let mut signing = advertisement.signing.to_vec();
    signing.sort_by_key(|key| !is_pinned(key));
    Ok(signing)
}

fn show_signing_keys(advertisement: &Advertisement) {
    for print in advertisement.thumbprints() {
        println!("  its signing key: {}", thumbprint_text(&print));
    }
}

/// Has a person compare the thumbprint. `--yes` is no comparison.
fn compare(yes: bool) -> Result<()> {
    if yes {
        return Err(Problem::new(
            Exit::Usage,
            "Nobody has compared the key server's thumbprint.",
            "Give it with --thumbprint, or leave --yes out and compare it when asked.",
        ));
    }
    ask::confirm("Is this what tang-show-keys prints on that server?", false)
}

/// Makes our half of the exchange with this key, and has the server prove that it
/// holds the other.
fn with_key(
    address: SocketAddr,
    exchange: &PublicKey,
    signing: &[PublicKey],
) -> Result<EnrolledServer> {
    let damaged = |_| refused(address, "its key is damaged");
    let (ours, value) = enrol_with_server(exchange).map_err(damaged)?;
    let server = KeyServer {
        address,
        exchange: exchange.clone(),
        ours,
        signing: signing
            .iter()
            .take(crate::vault::MAX_SIGNING)
            .cloned()
            .collect(),
    };
    let answer = recover_once(&server).map_err(|why| refused(address, why))?;
    let value = factor_value(&value);
    if answer != value {
        return Err(refused(address, "it does not have the key that it shows"));
    }
    Ok(EnrolledServer { server, value })
}

/// The part of a URL between `http://` and the path.
fn authority(url: &str) -> Option<&str> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => return None,
        None => url,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    (!rest.is_empty() && rest.chars().all(plain)).then_some(rest)
}

/// Host and port, 80 where none is named.
fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (
                host,
                port.strip_prefix(':')
                    .map_or(port.is_empty().then_some(""), Some)?,
            )
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = if port.is_empty() {
        80
    } else {
        port.parse().ok()?
    };
    (!host.is_empty() && port > 0).then_some((host, port))
}

/// The address in a key server's URL; `None` where it has a name.
pub fn literal_address(url: &str) -> Option<SocketAddr> {
    let (host, port) = authority(url).and_then(host_and_port)?;
    let ip = host.parse::<IpAddr>().ok()?;
    Some(SocketAddr::new(ip, port))
}

/// Whether this can be a key server's address: `http://HOST`, with a port or without.
pub fn is_server_url(url: &str) -> bool {
    authority(url).and_then(host_and_port).is_some()
}

/// Whether two addresses are the same host and port, as they are written.
pub fn same_server(one: &str, other: &str) -> bool {
    let of = |url| authority(url).and_then(host_and_port);
    of(one).is_some() && of(one) == of(other)
}

/// Resolves a name now: at boot nothing resolves names.
fn resolve(url: &str) -> Result<SocketAddr> {
    let (host, port) = authority(url).and_then(host_and_port).ok_or_else(|| {
        Problem::new(
            Exit::Usage,
            format!("\"{url}\" is no address of a key server."),
            "Write it as http://ADDRESS:PORT. What is asked needs no https: it tells nobody \
             anything.",
        )
    })?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    // By getent: a static program has no resolver of its own.
    let next = "Check the name, or give the key server's address.";
    let said = program::run(Command::new("getent").args(["ahosts", host]), next)?;
    let first = said.split_whitespace().next();
    let ip = first.and_then(|first| first.parse::<IpAddr>().ok());
    let ip = ip.ok_or_else(|| Problem::failed(format!("{host} has no address."), next))?;
    println!("{host} is {ip}: this address is enrolled, not the name.");
    Ok(SocketAddr::new(ip, port))
}

/// What kind of address a key server has, and what speaks against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressScope {
    /// It is in a private network.
    Private,
    /// Everybody on the internet may be able to ask it.
    Public,
    /// It is this machine's own: it moves with the server.
    ThisMachine,
    /// It is link-local, and means nothing without an interface.
    LinkLocal,
}

fn scope_of(ip: IpAddr) -> AddressScope {
    match ip.to_canonical() {
        ip if ip.is_loopback() || ip.is_unspecified() => AddressScope::ThisMachine,
        IpAddr::V4(ip) if ip.is_link_local() => AddressScope::LinkLocal,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => AddressScope::LinkLocal,
        ip if is_public(ip) => AddressScope::Public,
        _ => AddressScope::Private,
    }
}

/// Whether this machine itself has the address.
fn is_our_own(address: SocketAddr) -> bool {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (core::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (core::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let from = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address.ip())
}

fn accept_address(address: SocketAddr, yes: bool) -> Result<()> {
    match scope_of(address.ip()) {
        AddressScope::Private if is_our_own(address) => {
            Err(refused(address, "it is this server itself"))
        }
        AddressScope::ThisMachine => Err(refused(address, "it is this server itself")),
        AddressScope::LinkLocal => Err(refused(
            address,
            "a link-local address is not the same on each interface",
        )),
        AddressScope::Private => Ok(()),
        AddressScope::Public => {
            println!(
                "  Warning: this is a public address. If it can be asked from anywhere, a stolen \
                 server opens anywhere too. Let only the clinic's network reach it."
            );
            ask::confirm("Enrol a key server with a public address?", yes)
        }
    }
}

/// Whether a key server has rotated its keys since it was enrolled.
pub enum KeyRotation {
    /// It shows the same key.
    Same,
    /// Its enrolled key is kept, because it did not answer or was not believed:
    /// why.
    Kept(String),
    /// It has a new key, which was tried.
    Rotated(Box<EnrolledServer>),
}

/// Asks whether the server has rotated its keys. A new key is accepted when a key
/// that was known at enrolment has signed it, else when a person has compared its
/// thumbprint.
///
/// # Errors
/// When a person compared the thumbprint and it was another one.
pub fn check_rotation(server: &KeyServer, yes: bool) -> Result<KeyRotation> {
    let address = server.address;
    let advertisement = match fetch_advertisement(address, &server.signing) {
        Ok(advertisement) => advertisement,
        Err(why) => return Ok(KeyRotation::Kept(why.to_string())),
    };
    if advertisement.exchange.contains(&server.exchange) {
        return Ok(KeyRotation::Same);
    }
    println!("Key server {address} has new keys.");
    if advertisement.vouching.is_empty() {
        if yes {
            let why = "its new keys are not signed by the old ones: run this without --yes";
            return Ok(KeyRotation::Kept(why.into()));
        }
        println!("  They are not signed by the old ones.");
        show_signing_keys(&advertisement);
        compare(yes)?;
    }
    let new = with_key(address, &advertisement.exchange[0], &advertisement.signing)?;
    Ok(KeyRotation::Rotated(Box::new(new)))
}

#[cfg(test)]
mod tests;
