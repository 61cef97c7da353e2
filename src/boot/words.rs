//! What the prompt says: what happened, what to do next. Pure.

use core::fmt::{self, Display, Formatter};

use super::prompt::{Command, MENU, digit};
use crate::environment::Margin;
use crate::theft::ResetCause;
use crate::vault::Answered;
use crate::vault::locate::LocateError;
use crate::vault::{Thresholds, VaultError};

/// Why the server does not open by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The vault is not to be had.
    NoVault(LocateError),
    /// It is there, and the place cannot open it.
    Fault(VaultError),
    /// Too few factors have answered to try anything.
    Silent {
        answered: Answered,
        need: Thresholds,
    },
    /// The pepper was destroyed.
    WasReset(ResetCause),
    /// Enough have answered for the whole wait, and they are not the enrolled
    /// ones.
    NotRecognised,
    /// The same, and the wait is not over.
    NotYetRecognised,
    /// It is not known yet.
    Looking,
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVault(error) => error.fmt(f),
            Self::Fault(error) => error.fmt(f),
            Self::Silent { answered, need } if answered.machine < need.machine => write!(
                f,
                "This machine is not as it was: {} of {} parts are there, {} are needed.",
                answered.machine, answered.machine_of, need.machine
            ),
            Self::Silent { answered, need } => {
                let mut before = "The place is silent: ";
                if answered.place < need.place || answered.servers >= need.servers {
                    write!(
                        f,
                        "{before}{} of {} neighbours answer, {} are needed.",
                        answered.place, answered.place_of, need.place
                    )?;
                    before = "\nSo are its key servers: ";
                }
                if answered.servers < need.servers {
                    write!(
                        f,
                        "{before}{} of {} key servers answer, {} needed.",
                        answered.servers, answered.servers_of, need.servers
                    )?;
                }
                Ok(())
            }
            Self::WasReset(cause) => write!(
                f,
                "This server was reset, {cause}.\nNo place and no passphrase opens it any more. A backup stick does,\nand the recovery code."
            ),
            Self::NotYetRecognised => {
                f.write_str("This server has not found its place so far. It keeps looking.")
            }
            Self::NotRecognised => f.write_str("This server does not recognise this place."),
            Self::Looking => f.write_str("This server still looks at what stands around it."),
        }
    }
}

impl Reason {
    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoVault(_) => {
                "Check that the server's disk is connected.\nThe server goes on by itself when the disk is there."
            }
            Self::Fault(VaultError::Altered | VaultError::Damaged) => {
                "By itself it opens nothing. Plug in a backup stick: it helps to mend it."
            }
            Self::Fault(VaultError::Newer) => {
                "Nothing is released. Keep the backup sticks safe and get help."
            }
            Self::WasReset(_) | Self::Fault(VaultError::PepperDamaged) => {
                "Plug in a backup stick, or type code: that opens the server this time.\nIf the server shall open here by itself again, type remember first."
            }
            Self::Fault(_) | Self::NotRecognised | Self::NotYetRecognised => {
                "Plug in a backup stick. The server goes on by itself."
            }
            Self::Looking => "Wait a little, or plug in a backup stick.",
            Self::Silent { .. } => {
                "At home: check the network cable, and that the router is on.\nElsewhere: plug in a backup stick. The server goes on by itself."
            }
        }
    }
}

const RULE: &str = "------------------------------------------------------------------------";

/// The ways in that this server is known to have, besides sticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaysIn {
    pub passphrase: bool,
    pub code: bool,
}

/// What the person sees first.
pub struct Banner<'a> {
    /// `None` while the vault is not there to say it.
    pub server: Option<&'a str>,
    pub reason: &'a Reason,
    pub ways_in: WaysIn,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Printable(self.server.unwrap_or("unknown"));
        writeln!(
            f,
            "\n{RULE}\nThe server \"{name}\" is locked. Its data is safe.\n"
        )?;
        writeln!(f, "{}\n{}\n", self.reason, self.reason.advice())?;
        let menu = Menu(Some((self.reason, self.ways_in)));
        write!(f, "{menu}{RULE}\n{PROMPT}")
    }
}

/// What stands before the place where one types.
pub const PROMPT: &str = "stayput> ";

/// The whole menu, or what of it can be used for this reason.
struct Menu<'a>(Option<(&'a Reason, WaysIn)>);

impl Menu<'_> {
    fn shows(&self, command: Command) -> bool {
        let Some((reason, ways_in)) = self.0 else {
            return true;
        };
        match command {
            Command::Remember => matches!(
                reason,
                Reason::WasReset(_) | Reason::Fault(VaultError::PepperDamaged)
            ),
            Command::Mend => matches!(
                reason,
                Reason::Fault(VaultError::Altered | VaultError::Damaged)
            ),
            Command::Reset => !matches!(reason, Reason::WasReset(_) | Reason::NoVault(_)),
            Command::Passphrase | Command::Change => ways_in.passphrase,
            Command::Code => ways_in.code,
            _ => true,
        }
    }
}

impl Display for Menu<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        MENU.into_iter()
            .enumerate()
            .filter(|(_, (command, ..))| self.shows(*command))
            .try_for_each(|(at, (_, word, what))| match digit(at) {
                Some(digit) => writeln!(f, "  {digit}  {word:<10} {what}"),
                None => writeln!(f, "     {word:<10} {what}"),
            })
    }
}

/// While nobody needs to do anything yet.
pub struct Hint;

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("stayput: looking for the place of this server. Press Enter for the menu.")
    }
}

pub struct Help;

impl Display for Help {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "This server holds a database that opens only where the server belongs.\n\
             - It was moved on purpose, or the network changed: plug in a backup stick.\n\
             - A power cut: wait until the router is up. The server goes on by itself.\n\
             - No stick at hand: type passphrase, or code, if you have one of these.\n\
             \x20 Else switch the server off. No data is lost.\n\
             Type a word or its digit:\n{}",
            Menu(None)
        )
    }
}

/// For whoever logs in after this boot; empty where there is nothing to say.
/// Everybody who may log in reads it.
pub struct LoginWords {
    pub margin: Option<Margin>,
    /// Boots in foreign places before this one.
    pub strikes: u8,
}

impl Display for LoginWords {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.margin.is_some_and(|margin| margin.is_used_up) {
            writeln!(
                f,
                "stayput: one change more, and the next start wants a stick: stayput status"
            )?;
        }
        match self.strikes {
            0 => Ok(()),
            n => writeln!(
                f,
                "stayput: starts in foreign places before this one: {n}. See stayput log"
            ),
        }
    }
}

/// Text that a disk or a stick says: control characters would let it write
/// over the screen.
pub struct Printable<'a>(pub &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| write!(f, "{}", if c.is_control() { '?' } else { c }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(reason: &Reason) -> String {
        Banner {
            server: Some("clinic"),
            reason,
            ways_in: WaysIn::default(),
        }
        .to_string()
    }

    #[test]
    fn the_first_screen_says_what_happened_and_what_to_do() {
        let text = banner(&Reason::NotRecognised);
        assert!(text.contains("The server \"clinic\" is locked. Its data is safe."));
        assert!(text.contains("does not recognise this place"));
        assert!(text.contains("Plug in a backup stick."));
        assert!(text.contains("3  reboot"));
        assert!(text.ends_with("stayput> "));
        assert!(text.lines().count() <= 24, "one screen");
        assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
    }

    #[test]
    fn a_reset_server_says_why_and_what_a_stick_will_do() {
        let text = banner(&Reason::WasReset(ResetCause::Strikes));
        assert!(text.contains("Its data is safe."));
        assert!(text.contains("was reset, after too many starts in foreign places."));
        assert!(text.contains("that opens the server this time"));
        assert!(text.contains("7  remember"));
        assert!(!text.contains("6  reset"), "it was reset already");
        assert!(text.lines().count() <= 24, "one screen");
        assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
    }

    #[test]
    fn the_menu_offers_what_can_be_used() {
        let text = banner(&Reason::NotRecognised);
        assert!(text.contains("6  reset") && !text.contains("remember"));
        let text = banner(&Reason::Fault(VaultError::Altered));
        assert!(text.contains("8  mend") && !text.contains("remember"));
        assert!(!text.contains("passphrase") && !text.contains("code"));
        let all = Banner {
            server: Some("clinic"),
            reason: &Reason::NotRecognised,
            ways_in: WaysIn {
                passphrase: true,
                code: true,
            },
        };
        let text = all.to_string();
        assert!(text.contains("9  passphrase open it"), "{text}");
        assert!(text.contains("0  code       open it"), "{text}");
        assert!(text.contains("     change     put another"), "{text}");
        assert!(text.lines().count() <= 24, "one screen");
        let text = Help.to_string();
        assert!(text.contains("remember") && text.contains("mend"));
        assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
    }

    #[test]
    fn whoever_logs_in_reads_of_a_margin_that_is_used_up_and_of_strikes_only() {
        let words = |left, is_used_up, strikes| {
            let margin = Some(Margin { left, is_used_up });
            LoginWords { margin, strikes }.to_string()
        };
        assert_eq!(words(1, false, 0), "");
        assert_eq!(words(0, false, 0), "", "as it was enrolled");
        assert!(words(0, true, 0).contains("the next start wants a stick"));
        let both = words(0, true, 2);
        assert!(both.contains("before this one: 2."), "{both}");
        assert_eq!(both.lines().count(), 2);
        assert!(both.lines().all(|line| line.len() <= 79), "no wrapped line");
    }

    #[test]
    fn a_silent_place_points_at_the_cable() {
        let silent = |machine, place| Reason::Silent {
            answered: Answered {
                machine,
                machine_of: 4,
                place,
                place_of: 3,
                ..Answered::default()
            },
            need: Thresholds {
                machine: 3,
                place: 2,
                ..Thresholds::default()
            },
        };
        let text = banner(&silent(4, 1));
        assert!(text.contains("1 of 3 neighbours answer, 2 are needed"));
        assert!(text.contains("network cable"));
        assert!(banner(&silent(2, 3)).contains("2 of 4 parts are there, 3 are needed"));
    }

    #[test]
    fn a_key_server_that_is_missing_is_named_alone_or_behind_the_neighbours() {
        let silent = |place, servers| Reason::Silent {
            answered: Answered {
                place,
                place_of: 3,
                servers,
                servers_of: 2,
                ..Answered::default()
            },
            need: Thresholds {
                machine: 0,
                place: 2,
                servers: 2,
            },
        };
        assert_eq!(
            silent(3, 1).to_string(),
            "The place is silent: 1 of 2 key servers answer, 2 needed."
        );
        let text = silent(0, 0).to_string();
        assert!(text.contains("0 of 3 neighbours answer"), "{text}");
        assert!(text.contains("0 of 2 key servers answer"), "{text}");
        let text = banner(&silent(0, 0));
        assert!(text.lines().count() <= 24, "one screen");
        assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
    }

    #[test]
    fn a_hostile_name_cannot_write_over_the_screen() {
        let text = Printable("a\u{1b}[2Jb\n").to_string();
        assert_eq!(text, "a?[2Jb?");
    }
}
