//! A server whose vault is lost, with its disk or on it: `--from-stick` and
//! `--from-code` make it anew with the server's own id and key, so that the data
//! opens again. Nothing is written before the key is known to be right.

mod copies;
mod recovered;

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::InitOptions;
use super::existing::{adopting, existing_vaults};
use crate::admin::ask;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Exit, Problem, Result};
use crate::filesystem::Format;
use crate::keys::{CodeError, RecoveryCode, WayKey};
use crate::opening::entries::WrongEntries;
use crate::stick::{StickError, StickFile, read_all_servers};
use crate::sys::clock;
use crate::vault::locate::{self, LocateError};
use crate::vault::partitions::{FoundPartition, partitions};
use crate::vault::{ServerId, ServerName, VaultConf, VaultError, WaysCopy};
pub use recovered::Recovered;
use recovered::{from_code, from_stick, of_unknown_key};

/// How often the PIN or the code may be typed. Whoever has the stick can guess at
/// a copy of it as well, and faster.
const TRIES: u32 = 3;

/// What is left of the vault: whose it was, and what will give the key.
pub struct LostVault {
    pub server_id: ServerId,
    source: Source,
}

enum Source {
    Stick(Box<StickFile>),
    Code,
}

impl LostVault {
    /// Finds out which server the stick or the code is to be of; `None` where a
    /// new server is made.
    ///
    /// # Errors
    /// When that is not clear, or the stick has no key.
    pub fn named(options: &InitOptions) -> Result<Option<Self>> {
        let here = vault_conf().ok().map(|conf| conf.server_id);
        let named = options.server.or(here);
        if let Some(device) = &options.from_stick {
            let file = file_of(device, named)?;
            return Ok(Some(Self {
                server_id: file.info.server_id,
                source: Source::Stick(Box::new(file)),
            }));
        }
        if !options.from_code {
            return Ok(None);
        }
        let server_id = named.ok_or_else(|| {
            Problem::new(
                Exit::Usage,
                "The code does not tell of which server it is, and nothing here does.",
                "Name the server's id: --server ID. It is written beside the code; it is also the \
                 name of the key file on each of its sticks (stayput/ID.key).",
            )
        })?;
        Ok(Some(Self {
            server_id,
            source: Source::Code,
        }))
    }

    /// Refuses where the vault can still be read: what is in it is worth more than
    /// an empty one.
    ///
    /// # Errors
    /// That it is there, and how it is used.
    pub fn must_be_lost(&self) -> Result<()> {
        if let Ok(conf) = vault_conf()
            && conf.server_id == self.server_id
        {
            match locate::open_read_only(&conf) {
                Ok(_) => return Err(is_readable("in its place")),
                // Another server's vault is where this one's was.
                Err(LocateError::OtherServer) => {}
                Err(error) if !error.is_lost() => return Err(error.into()),
                Err(_) => {}
            }
        }
        let mut existing = existing_vaults().into_iter();
        if let Some(found) = existing.find(|found| found.conf.server_id == self.server_id) {
            return Err(is_elsewhere(&found.in_words(), &found.adopting()));
        }
        let others = partitions().filter(FoundPartition::has_vaults_name);
        for partition in others {
            let conf = VaultConf {
                server_id: self.server_id,
                partition: partition.id.clone(),
                file: None,
            };
            let device = partition.device.display();
            match locate::open_read_only(&conf) {
                Ok(_) => {
                    let what = format!("The vault of this server is on {device}");
                    return Err(is_elsewhere(&what, &adopting(&partition.device)));
                }
                Err(error) => may_be_elsewhere(&partition.device, error)?,
            }
        }
        Ok(())
    }

    /// Asks for the PIN or the code.
    ///
    /// # Errors
    /// [`Exit::Locked`] when it is wrong.
    pub fn recover(&self, options: &InitOptions, name: Option<ServerName>) -> Result<Recovered> {
        let copies = copies::found(&self.server_id, options)?;
        let recovered = match &self.source {
            Source::Stick(file) => {
                let way_key = way_key_of_stick(file, options.pin_stdin)?;
                let given = from_stick(file, way_key, &copies, name, clock::now());
                given.map_err(|error| locked(error.to_string()))
            }
            Source::Code => {
                if !copies.iter().any(WaysCopy::has_code) {
                    return Err(copies::none_for_the_code());
                }
                let code = typed_code(&self.server_id, options.passphrase_stdin)?;
                let given = from_code(&code, &copies, name, clock::now());
                given.map_err(|error| locked(error.to_string()))
            }
        }?;
        match of_unknown_key(&copies, &recovered.keys) {
            Some(copy) if !options.earlier_key => Err(is_an_earlier_key(
                recovered.keys.generation(),
                copy.generation,
            )),
            _ => Ok(recovered),
        }
    }
}

/// The refusal where the key was replaced since, and perhaps because this very stick or
/// code was lost.
fn is_an_earlier_key(opened: u32, found: u32) -> Problem {
    Problem::refused(
        format!(
            "This opens master key number {opened} of the server. A copy was found that is of \
             number {found}, and has nothing for this stick or code: it was lost, or left out, when \
             the key was replaced."
        ),
        "Nothing was changed. Use another stick, or the code of now. Where the later key is lost \
         for good: --earlier-key makes the vault anew with this one, and whoever was left out since \
         opens it again.",
    )
}

/// The refusal where the vault is not lost.
pub fn is_readable(place: &str) -> Problem {
    Problem::refused(
        format!("The vault of this server is {place}, and can be read. Nothing was changed."),
        "The stick and the code open it as it is: stayput release --stick DEVICE, or --code. If \
         it has no place any more: stayput enroll",
    )
}

fn is_elsewhere(what: &str, adopting: &str) -> Problem {
    Problem::refused(
        format!("{what}, and can be read. Nothing was changed."),
        format!("To use it: {adopting}, then stayput install"),
    )
}

/// Refuses beside a vault that is whole, and whose server cannot be told.
fn may_be_elsewhere(device: &Path, error: LocateError) -> Result<()> {
    match error {
        LocateError::Vault(VaultError::Newer) => Err(Problem::refused(
            format!(
                "On {} is a vault that a newer version of stayput has written. Nothing was changed.",
                device.display()
            ),
            "Install that version of stayput. If the vault is of another server, take its disk out.",
        )),
        _ => Ok(()),
    }
}

/// The file of this server on the stick, or of the only one that has one there.
fn file_of(device: &Path, named: Option<ServerId>) -> Result<StickFile> {
    let files = read_all_servers(device).map_err(|error| no_key(device, error))?;
    choose(files, named).map_err(|files| match named {
        Some(_) => no_key(device, StickError::OtherServer),
        None => several(&files),
    })
}

/// Gives the files back where none can be chosen.
fn choose(
    mut files: Vec<StickFile>,
    named: Option<ServerId>,
) -> std::result::Result<StickFile, Vec<StickFile>> {
    let at = match named {
        Some(id) => files.iter().position(|file| file.info.server_id == id),
        None => (files.len() == 1).then_some(0),
    };
    match at {
        Some(at) => Ok(files.swap_remove(at)),
        None => Err(files),
    }
}

fn no_key(device: &Path, error: StickError) -> Problem {
    let device = device.display();
    if error == StickError::Format(Format::Partitions) {
        return Problem::new(
            Exit::Usage,
            format!("{device} is a whole disk with partitions."),
            format!(
                "Nothing was changed. Name one of its partitions; `lsblk {device}` shows them."
            ),
        );
    }
    if error == StickError::NotAllowed {
        return Problem::forbidden(format!("{device}: {error}"));
    }
    Problem::new(
        Exit::Locked,
        format!("{device}: {error}"),
        "Nothing was changed. Name a backup stick of the server whose vault is lost; `lsblk` shows \
         the names of what is plugged in.",
    )
}

fn several(files: &[StickFile]) -> Problem {
    let names = files
        .iter()
        .map(|file| format!("\n  {}  {}", file.info.server_id, file.info.server_name));
    Problem::new(
        Exit::Usage,
        "This stick has keys of several servers.",
        format!("Name one of them: --server ID{}", names.collect::<String>()),
    )
}

fn way_key_of_stick(file: &StickFile, from_stdin: bool) -> Result<WayKey> {
    let label = &file.info.label;
    in_tries(from_stdin, sleep, || {
        let pin = match file.info.has_pin() {
            true => ask::pin(&format!("PIN of stick \"{label}\": "), from_stdin)?,
            false => ask::Pin::default(),
        };
        Ok(match file.way_key(&pin) {
            Ok(key) => Entry::Right(key),
            Err(StickError::WrongPin) => Entry::Wrong(StickError::WrongPin.to_string()),
            Err(error) => return Err(locked(error.to_string())),
        })
    })
}

fn typed_code(server_id: &ServerId, from_stdin: bool) -> Result<RecoveryCode> {
    in_tries(from_stdin, sleep, || {
        let typed = ask::code("Recovery code: ", from_stdin)?;
        Ok(match RecoveryCode::parse(&typed, &server_id.0) {
            Ok(code) => Entry::Right(code),
            Err(error @ (CodeError::Newer | CodeError::Older)) => {
                return Err(locked(error.to_string()));
            }
            Err(error) => Entry::Wrong(error.to_string()),
        })
    })
}

enum Entry<T> {
    Right(T),
    /// What is wrong with it.
    Wrong(String),
}

/// Asks again after a wrong entry, with the pauses of the prompt. What comes from
/// standard input is asked for once.
fn in_tries<T>(
    once: bool,
    mut wait: impl FnMut(Duration),
    mut enter: impl FnMut() -> Result<Entry<T>>,
) -> Result<T> {
    let mut wrong = WrongEntries::default();
    for left in (0..TRIES).rev() {
        match enter()? {
            Entry::Right(value) => return Ok(value),
            Entry::Wrong(why) if once || left == 0 => return Err(locked(why)),
            Entry::Wrong(why) => {
                let pause = wrong.add(clock::since_boot());
                println!("{why} Try again in {pause} s.");
                wait(Duration::from_secs(pause));
            }
        }
    }
    unreachable!("the last try returns")
}

fn locked(what: String) -> Problem {
    Problem::new(
        Exit::Locked,
        what,
        "Nothing was changed. Run the command again, or use another stick or the code.",
    )
}

#[cfg(test)]
mod tests;
