//! The messages in English: what happened, then what to do.

use core::fmt::{self, Display, Formatter};

use super::{
    Banner, Help, Hint, LoginNotice, Message, NotRemembered, Question, Reason, Tally, WaysIn,
};
use crate::keys::CODE_GROUPS;
use crate::opening::menu::{Command, MENU, digit};
use crate::printable::Printable;
use crate::vault::{Group, LocateError, VaultError};

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVault(error) => error.fmt(f),
            Self::Fault(error) => error.fmt(f),
            Self::Silent { answered, need } if answered.machine.count < need.machine => {
                let tally = Tally::of(Group::Machine, *answered, *need);
                write!(f, "This machine is not as it was: {tally}")
            }
            Self::Silent { answered, need } => {
                let mut before = "The place is silent: ";
                if answered.neighbours.count < need.neighbours
                    || answered.servers.count >= need.servers
                {
                    let tally = Tally::of(Group::Neighbours, *answered, *need);
                    write!(f, "{before}{tally}")?;
                    before = "\nSo are its key servers: ";
                }
                if answered.servers.count < need.servers {
                    let tally = Tally::of(Group::Servers, *answered, *need);
                    write!(f, "{before}{tally}")?;
                }
                Ok(())
            }
            Self::WasReset(cause) => write!(
                f,
                "This server was reset, {cause}.\nNo place and no passphrase opens it any more. A backup stick does,\nand the recovery code."
            ),
            Self::ChangedMachine => f.write_str(
                "This is its place, but parts of this machine are not the ones it was enrolled\nwith.",
            ),
            Self::KeyServerLost => f.write_str(
                "This is its place, but a key server does not know the key of this server any\nmore, or another one answers in its stead.",
            ),
            Self::NotYetRecognised => {
                f.write_str("This server has not found its place so far. It keeps looking.")
            }
            Self::NotRecognised => f.write_str("This server does not recognise this place."),
            Self::Looking => f.write_str("This server still looks at what stands around it."),
        }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            count, of, need, ..
        } = self;
        let (noun, one, several) = match self.group {
            Group::Machine => ("part", "is there", "are there"),
            Group::Neighbours => ("neighbour", "answers", "answer"),
            Group::Servers => ("key server", "answers", "answer"),
        };
        write!(f, "{count} of {of} ")?;
        if self.names_group {
            let plural = if *of == 1 { "" } else { "s" };
            write!(f, "{noun}{plural} ")?;
        }
        // "0 of 2 answer", and "0 of 1 answers".
        let verb = if *count == 1 || *of == 1 {
            one
        } else {
            several
        };
        let are = if *need == 1 { "is" } else { "are" };
        write!(f, "{verb}, {need} {are} needed.")
    }
}

impl Reason {
    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoVault(error) if error.is_of_the_disk() => {
                "Check that the server's disk is connected.\nThe server goes on by itself when the disk is there. Has it died for good? A\nbackup stick makes the vault anew: type continue, log in as root, then run\nstayput init --from-stick DEVICE"
            }
            Self::NoVault(LocateError::OtherServer) => {
                "Put this server's own disk in: the server then goes on by itself."
            }
            Self::NoVault(LocateError::NoDriver(_)) => {
                "The vault may be whole. In the boot menu choose the kernel that was there before."
            }
            Self::NoVault(LocateError::Vault(VaultError::Newer)) => {
                "Nothing is released. Keep the backup sticks safe and get help."
            }
            Self::NoVault(_) => {
                "A backup stick or the recovery code makes it anew, and the data opens again:\ntype continue, log in as root, then run stayput init --from-stick DEVICE,\nor stayput init --from-code"
            }
            Self::Fault(VaultError::Altered | VaultError::Damaged) => {
                "By itself it opens nothing. Plug in a backup stick: it helps to mend it."
            }
            Self::Fault(VaultError::Newer | VaultError::Older) => {
                "Nothing is released. Keep the backup sticks safe and get help."
            }
            Self::WasReset(_) | Self::Fault(VaultError::PepperDamaged) => {
                "Plug in a backup stick, or type code: that opens the server this time.\nIf the server shall open here by itself again, type remember first."
            }
            Self::Fault(_) | Self::NotRecognised | Self::NotYetRecognised => {
                "Plug in a backup stick. The server goes on by itself."
            }
            Self::ChangedMachine => {
                "After a repair: plug in a backup stick. Then run stayput enroll --refresh, and\nthe server opens here by itself again."
            }
            Self::KeyServerLost => {
                "Have the key server put right. Until then plug in a backup stick. If its keys\nare gone for good, run stayput enroll with --tang afterwards."
            }
            Self::Looking => "Wait a little, or plug in a backup stick.",
            Self::Silent { .. } => {
                "At home: check the network cable, and that the router is on.\nElsewhere: plug in a backup stick. The server goes on by itself."
            }
        }
    }
}

const RULE: &str = "------------------------------------------------------------------------";

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

/// The prompt in front of a command.
pub const PROMPT: &str = "stayput> ";

/// The menu: all commands, or those that can be used for this reason.
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
            Command::Continue => matches!(reason, Reason::NoVault(error) if error.is_lost()),
            _ => true,
        }
    }
}

impl Display for Menu<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        MENU.iter()
            .enumerate()
            .filter(|(_, (command, ..))| self.shows(*command))
            .try_for_each(|(at, (_, word, what))| match digit(at) {
                Some(digit) => writeln!(f, "  {digit}  {word:<10} {what}"),
                None => writeln!(f, "     {word:<10} {what}"),
            })
    }
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("stayput: looking for the place of this server. Press Enter for the menu.")
    }
}

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

impl Display for LoginNotice {
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

impl Display for Question {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command => f.write_str(PROMPT),
            Self::ServerName => f.write_str("Name of this server: "),
            Self::Pin(label) => write!(f, "PIN of stick \"{}\": ", Printable(label)),
            Self::Passphrase => f.write_str("Passphrase: "),
            Self::PresentPassphrase => f.write_str("Present passphrase: "),
            Self::NewPassphrase => f.write_str("New passphrase: "),
            Self::NewPassphraseAgain => f.write_str("The same once more: "),
            Self::CodeGroup(group) => write!(f, "Group {group} of {CODE_GROUPS}: "),
        }
    }
}

impl Display for NotRemembered {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NobodyAnswers => {
                "None of the neighbours that were enrolled answers: this place is not remembered."
            }
            Self::Weaker => {
                "This place is not remembered: it would be easier to feign than the home."
            }
            Self::Failed => "This place could not be remembered. Run stayput enroll later.",
            Self::HasServers => {
                "This server has a key server: only stayput enroll --tang remembers another place."
            }
        })
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Reason(reason) => reason.fmt(f),
            Self::ReasonAndAdvice(reason) => write!(f, "{reason}\n{}", reason.advice()),
            Self::Vault(error) => error.fmt(f),
            Self::NotReleased(error) => error.fmt(f),
            Self::Stick(error) => error.fmt(f),
            Self::StickPulled => f.write_str("The stick was pulled out."),
            Self::StickSilent => f.write_str(
                "The stick does not answer.\nTake it out and plug it in again, or try another one.",
            ),
            Self::StickWithoutVault => f.write_str(
                "There is no vault that this stick could open. Is the vault lost for good? A\n\
                 backup stick of this server makes it anew: type continue, log in as root, then\n\
                 run stayput init --from-stick DEVICE",
            ),
            Self::StickWithoutDriver(module) => write!(
                f,
                "A stick is plugged in; this kernel has no driver for it (module {module}).\n\
                 The stick may be good. Try another socket or another stick."
            ),
            Self::NotWiped(devices) => {
                for device in devices {
                    writeln!(f, "NOT WIPED: {}.", device.display())?;
                }
                f.write_str(
                    "A stick that does not answer, or takes no writes, keeps what is on it. So does\n\
                     each where the server's disk could not note the reset.\n\
                     If it holds a key of this server, that opens it: keep it safe, or destroy it.",
                )
            }
            Self::NoPin => f.write_str("No PIN. Type retry to use the stick after all."),
            Self::NothingChanged => f.write_str("Nothing was changed."),
            Self::NothingEntered => f.write_str("Nothing was entered."),
            Self::Help => Help.fmt(f),
            Self::NoSuchCommand => {
                f.write_str("Type one of the words of the menu, or its digit.")
            }
            Self::DeadKey { is_hidden } => {
                let from_the_start = match is_hidden {
                    true => "\nType it again from the start.",
                    false => "",
                };
                write!(
                    f,
                    "That key types nothing. For the digits at the right of the keyboard, press Num\n\
                     Lock first.{from_the_start}"
                )
            }
            Self::LookingAgain => f.write_str("Looking again ..."),
            Self::Checking => f.write_str("Checking ...\n"),
            Self::WrongPin { pause } => again(f, &"The PIN is wrong.", *pause),
            Self::WrongPassphrase { pause } => again(f, &"The passphrase is wrong.", *pause),
            Self::WrongCode { error, pause } => again(f, error, *pause),
            Self::Wait { seconds } => write!(f, "Wait {seconds} s, then type it again."),
            Self::NoPassphrases => f.write_str("This server has no passphrases."),
            Self::PassphrasesGone(error) => write!(f, "{error}\nPassphrases do not open it."),
            Self::CodeBegins => f.write_str(
                "\nThe recovery code has 9 groups of 8 letters. Type one group, or all, then Enter;\n\
                 it is not shown. Escape ends it.",
            ),
            Self::GroupAgain(error) => writeln!(f, "{error}"),
            Self::CodeOfAnotherVersion(error) => error.fmt(f),
            Self::CodeRefused(refused) => refused.fmt(f),
            Self::Unusable(error) => write!(f, "{error} {}", error.advice()),
            Self::NotTheSame => f.write_str("The two are not the same. Nothing was changed."),
            Self::Changing => f.write_str("Changing ...\n"),
            Self::Changed(name) => write!(
                f,
                "The passphrase of \"{}\" is changed. The old one opens nothing but copies of\n\
                 the disk that were made before. The server is still locked.",
                Printable(name)
            ),
            Self::NotChanged(why) => write!(f, "{why} Nothing was changed."),
            Self::PerhapsChanged(error) => write!(
                f,
                "{error}\nThe old passphrase is still in force, or the new one: try both."
            ),
            Self::ResetAlready => f.write_str("This server was reset already."),
            Self::ResetOffered { way_back } => {
                let lost = match way_back {
                    true => "",
                    false => {
                        "\nNo recovery code, and no verified stick but those plugged in, is \
                         listed. Without a\nstick that opens it, the data is lost for ever."
                    }
                };
                write!(
                    f,
                    "\nA reset destroys the key on this disk: from then on only a backup stick or the\n\
                     recovery code opens this server.{lost}\nType the server's name to go on, or press Escape.\n"
                )
            }
            Self::NotDestroyed { blocks } => writeln!(
                f,
                "NOT DESTROYED: {blocks} blocks of the disk did not take it. Destroy the disk."
            ),
            Self::NotTheName => {
                f.write_str("That is not the server's name. Nothing was changed.")
            }
            Self::RemembersBeside => f.write_str(
                "Whoever opens this server next adds this place beside its home: with a\n\
                 backup stick, a passphrase or the code.",
            ),
            Self::RemembersHome => {
                f.write_str("The next backup stick or code makes this place its home.")
            }
            Self::LookingAround => f.write_str("Looking at this place ...\n"),
            Self::Remembered => {
                f.write_str("This place is remembered: the server opens here by itself again.\n")
            }
            Self::NoStickCounts => f.write_str(
                "No backup stick counts as tried any more. Until one does, this server does not\n\
                 destroy its key by itself: stayput stick verify DEVICE\n",
            ),
            Self::NotRemembered(why) => writeln!(f, "{why}"),
            Self::MendOffered => f.write_str(
                "The key is right, but what is on the disk was not written by this server.\n\
                 To put safe settings back and go on, type mend. Places and passphrases go\n\
                 too, if somebody else has changed them.",
            ),
            Self::NothingToMend => {
                f.write_str("There is nothing to mend yet. Plug in a backup stick first.")
            }
            Self::Accepted => f.write_str("The key is accepted. The server goes on."),
            Self::AcceptedMeanwhile => f.write_str(
                "The key is accepted. The server goes on.\n\
                 Stop typing: what is typed from now on can be seen.",
            ),
            Self::WithoutDatabase => f.write_str("The system starts, without the database."),
            Self::PolicyDecides => f.write_str(
                "With its vault this server starts so only where its owner has chosen that:\n\
                 stayput policy --on-failure continue",
            ),
        }
    }
}

fn again(f: &mut Formatter<'_>, wrong: &dyn Display, pause: u64) -> fmt::Result {
    write!(f, "{wrong} Try again in {pause} s.")
}

#[cfg(test)]
mod tests;
