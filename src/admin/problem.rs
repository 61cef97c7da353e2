//! How a command reports a failure.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::printable::PrintableLines;
use crate::release::{NotReleased, ReleaseError};
use crate::vault::{LocateError, PassphraseError, VaultError};

/// Exit codes, documented in the manual: scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// Something failed on the way (a disk, another program); 1.
    Failed = 1,
    /// The command line makes no sense; 2 (clap uses it too).
    Usage = 2,
    /// The vault did not open: a stick or another way in is needed; 3.
    Locked = 3,
    /// Refused because it would do harm; nothing was changed; 4.
    Refused = 4,
    /// Some steps of several are done, and one has failed; the same command goes on there; 5.
    Incomplete = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What kind of problem it is, for scripts. The last five are not to be mixed up: each
/// wants another thing done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Something failed on the way.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The vault did not open.
    Locked,
    /// Refused because it would do harm.
    Refused,
    /// Whoever ran the command may not look there, or not do that.
    NotAllowed,
    /// What the command needs is not there.
    NotThere,
    /// It is there, and cannot be read.
    NotReadable,
    /// A stick or a share does not hold what was written to it.
    NotKept,
}

impl From<Exit> for ProblemKind {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Failed | Exit::Incomplete => Self::Failed,
            Exit::Usage => Self::Usage,
            Exit::Locked => Self::Locked,
            Exit::Refused => Self::Refused,
        }
    }
}

/// One line that says what happened and one that says what to do next.
#[derive(Debug, Serialize, Deserialize)]
pub struct Problem {
    /// What the process ends with.
    pub exit: Exit,
    /// What scripts go by.
    pub kind: ProblemKind,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// What a command gives back.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// A problem with this exit code.
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            kind: exit.into(),
            what: what.into(),
            next: next.into(),
        }
    }

    /// This problem as one of `kind`, where that says more than its exit code.
    pub fn of_kind(self, kind: ProblemKind) -> Self {
        Self { kind, ..self }
    }

    /// Root may not look there, or not do that.
    pub fn forbidden(what: impl Into<String>) -> Self {
        Self::failed(what, FORBIDDEN).of_kind(ProblemKind::NotAllowed)
    }

    /// Something failed on the way.
    pub fn failed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what, next)
    }

    /// It would do harm; nothing was changed.
    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what, next)
    }

    /// A file of the system that cannot be read, written or removed.
    pub fn of_file(path: impl AsRef<Path>, error: &io::Error) -> Self {
        let what = format!("{}: {error}", path.as_ref().display());
        match error.kind() {
            ErrorKind::PermissionDenied => Self::forbidden(what),
            _ => Self::failed(
                what,
                "Is the disk full or read-only? `df` and `dmesg` tell.",
            ),
        }
    }
}

impl From<LocateError> for Problem {
    fn from(error: LocateError) -> Self {
        let next = match error {
            LocateError::NotAllowed(_) => return Self::forbidden(error.to_string()),
            LocateError::NoDriver(_) => COMPLETE_KERNEL,
            LocateError::Vault(VaultError::Newer) => "Install that version of stayput.",
            LocateError::Vault(VaultError::Older) => MADE_ANEW,
            error if error.is_of_the_disk() => {
                "Check the disk. Has it died for good? stayput init --from-stick DEVICE, or --from-code."
            }
            LocateError::OtherServer => "Put this server's own disk in.",
            LocateError::Open(libc::EBUSY) => {
                "Something else uses its disk. Wait until that is done, then run the command again."
            }
            error if error.is_lost() => {
                "A backup stick or the code makes it anew: stayput init --from-stick DEVICE, or --from-code."
            }
            _ => "The vault may be whole. `dmesg` tells more; then run the command again.",
        };
        let kind = match error {
            LocateError::NoPartition
            | LocateError::OtherServer
            | LocateError::Vault(VaultError::NotAVault) => ProblemKind::NotThere,
            LocateError::Vault(VaultError::Busy(_)) | LocateError::Open(libc::EBUSY) => {
                ProblemKind::Failed
            }
            _ => ProblemKind::NotReadable,
        };
        Self::failed(error.to_string(), next).of_kind(kind)
    }
}

/// What to do where root is not allowed something.
const FORBIDDEN: &str = "Something forbids it to root: a container (run the command outside \
                             it), or SELinux or AppArmor (`journalctl -k` tells).";

/// What to do where the kernel has no driver.
pub const COMPLETE_KERNEL: &str = match cfg!(target_arch = "aarch64") {
    true => "Install the complete kernel package (linux-image-arm64).",
    false => "Install the complete kernel package (linux-image-amd64).",
};

const MADE_ANEW: &str = "Make it anew, with the key of a backup stick: stayput init --from-stick \
                         DEVICE, or --from-code.";

/// Of a vault that is open.
impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let next = match error {
            VaultError::Busy(_) => "Wait until it is done, then run the command again.",
            VaultError::Changed => "Nothing was changed. Run the command again.",
            VaultError::WasReset => "Make a place its home again: stayput enroll",
            VaultError::Altered | VaultError::Damaged => {
                "Nothing was changed. Restart the server with a backup stick at hand, and type \
                 mend at the prompt."
            }
            VaultError::Newer => "Install that version of stayput.",
            VaultError::Older => MADE_ANEW,
            _ => "Check the disk that holds the vault, then run the command again.",
        };
        let problem = Self::failed(error.to_string(), next);
        match error {
            VaultError::Altered
            | VaultError::Damaged
            | VaultError::Newer
            | VaultError::Older
            | VaultError::NotAVault
            | VaultError::Device(_) => problem.of_kind(ProblemKind::NotReadable),
            _ => problem,
        }
    }
}

impl From<PassphraseError> for Problem {
    fn from(error: PassphraseError) -> Self {
        Self::refused(
            error.to_string(),
            "Nothing was changed. Who has one: stayput passphrase list",
        )
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        match error.errno {
            libc::EACCES | libc::EPERM => Self::forbidden(error.to_string()),
            _ => Self::failed(error.to_string(), "Is /run mounted? `findmnt /run` tells."),
        }
    }
}

impl From<NotReleased> for Problem {
    fn from(why: NotReleased) -> Self {
        match why {
            NotReleased::Failed(error) => error.into(),
            NotReleased::Held => Self::refused(
                "The keys stay out of memory: an alarm of the watch or a reset has removed them.",
                "Is the server where it belongs? stayput release",
            ),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n  {}",
            PrintableLines(&self.what),
            PrintableLines(&self.next)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_in_memory_that_is_not_allowed_is_told_so() {
        let kind = |errno| {
            let step = "mount";
            Problem::from(ReleaseError { step, errno }).kind
        };
        assert_eq!(kind(libc::EPERM), ProblemKind::NotAllowed);
        assert_eq!(kind(libc::EACCES), ProblemKind::NotAllowed);
        assert_eq!(kind(libc::ENOMEM), ProblemKind::Failed);
    }
}
