//! Opens the vault for a command: by the place, or by what a person has or
//! knows.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::admin::ask;
use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::typed_secrets::{key_from_code, key_from_passphrase};
use crate::environment::{
    Arrangements, Cards, ChosenFactor, Comparison, KeyServers, LIVE_NETWORK_WAIT, Observed,
    Patience, compare, is_asked, neighbour_addresses, observe_place,
};
use crate::keys::MasterKey;
use crate::opening::places::{PlaceOpened, Places};
use crate::stick::{self, StickError, StickInfo};
use crate::sys::interface;
use crate::theft::WayBack;
use crate::vault::locate::VaultDisk;
use crate::vault::{
    EventKind, Header, MariadbRelease, PlaceInWords, Policy, ProvenRecords, SealedPlace, SlotTable,
    StickList, Vault, VaultError, Written, is_key_server,
};

/// How a command gets the master key.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct UnlockOptions {
    /// Open the vault with this backup stick (for example /dev/sdb1)
    #[arg(long, value_name = "DEVICE")]
    pub stick: Option<PathBuf>,
    /// Read the stick's PIN from standard input
    #[arg(long)]
    pub pin_stdin: bool,
    /// Open the vault with a passphrase
    #[arg(long, conflicts_with_all = ["stick", "code"])]
    pub passphrase: bool,
    /// Open the vault with the recovery code
    #[arg(long, conflicts_with = "stick")]
    pub code: bool,
    /// Read passphrases and the code from standard input, one a line
    #[arg(long)]
    pub passphrase_stdin: bool,
}

/// The vault and its key, for as long as one command takes.
pub struct Unlocked {
    /// The open vault.
    pub vault: Vault<VaultDisk>,
    key: MasterKey,
    /// The records that the key proves.
    pub proven: ProvenRecords,
    /// The stick that has opened it, if one has.
    stick: Option<StickInfo>,
    /// The disk has refused a copy of a record, and that was said.
    fails: bool,
}

/// Opens the vault and proves it: by the place, or by what was named.
///
/// # Errors
/// [`Exit::Locked`] when that does not open it.
pub fn unlock(options: &UnlockOptions) -> Result<Unlocked> {
    unlock_with_cards(options, Cards::LeftDown)
}

/// Opens the vault and proves it as [`unlock`] does; `cards` says whether network cards
/// that are down are put up for it.
///
/// # Errors
/// As [`unlock`].
pub fn unlock_with_cards(options: &UnlockOptions, cards: Cards) -> Result<Unlocked> {
    let mut vault = open_vault()?;
    let mut stick = None;
    let key = match &options.stick {
        Some(device) => {
            let (key, used) = key_from_stick(&vault, device, options.pin_stdin)?;
            stick = Some(used);
            key
        }
        None if options.passphrase => key_from_passphrase(&mut vault, options.passphrase_stdin)?,
        None if options.code => key_from_code(&vault, options.passphrase_stdin)?,
        None => key_from_place(&vault, cards)?,
    };
    let unlocked = Unlocked::new(vault, key)?;
    Ok(Unlocked { stick, ..unlocked })
}

/// What the surroundings say about one enrolled place.
pub struct Recognition {
    /// `None` where the place does not open the vault.
    pub key: Option<MasterKey>,
    /// The place that opened it; else the one that was enrolled first.
    pub place: String,
    /// What is as enrolled and what is not; only where the place opens the vault.
    pub comparison: Option<Comparison>,
    /// How many factors the place needs.
    pub need: crate::vault::Thresholds,
    /// What answered.
    pub observed: Observed,
    /// Everybody of all places has answered, rightly or not.
    pub all_answered: bool,
    /// What was tried of it.
    pub places: Places,
}

impl Recognition {
    /// Why somebody was not asked who did not answer, in words: cards that were left
    /// down, or nothing could be sent.
    pub fn unasked(&self) -> Option<String> {
        let is_complete = match &self.comparison {
            Some(compared) => {
                let mut missing = compared.silent.iter().chain(&compared.not_asked);
                !missing.any(is_asked)
            }
            None => self.all_answered,
        };
        if is_complete {
            return None;
        }
        let is_asked = self.observed.not_asked().is_empty();
        cards_left_down().or_else(|| (!is_asked).then(|| NOT_ASKED.into()))
    }
}

/// The network cards that are switched off, in words.
pub fn cards_left_down() -> Option<String> {
    let down = interface::wired_and_down();
    let (cards, are) = match &down[..] {
        [] => return None,
        [_] => ("card", "is"),
        _ => ("cards", "are"),
    };
    let names = down.join(", ");
    Some(format!(
        "Network {cards} {names} {are} switched off: who is behind that was not asked."
    ))
}

/// Observes the surroundings and tries every enrolled place.
pub fn recognise(
    header: &Header,
    slots: &SlotTable,
    cards: Cards,
    patience: Patience,
) -> Option<Recognition> {
    let mut places = Places::of(slots);
    let mut found: Option<PlaceOpened> = None;
    let labels = slots
        .environments
        .iter()
        .flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
    let mut try_all = |observed: &Observed, arrangements| {
        if found.is_none() {
            found = places.try_all(header, slots, observed, arrangements);
        }
        // Never enough: what has changed is to be named too.
        false
    };
    let servers = KeyServers::of(&slots.environments, Instant::now());
    let observed = observe_place(labels, servers, cards, patience, |observed| {
        try_all(observed, Arrangements::Enrolled)
    });
    try_all(&observed, Arrangements::All);
    recognition(header, slots, found, observed, places)
}

/// Tries `arrangements` with what answers on the network cards that are up; those that
/// are down stay down.
pub fn recognise_on_live_links(
    header: &Header,
    slots: &SlotTable,
    arrangements: Arrangements,
) -> Option<Recognition> {
    let labels = slots
        .environments
        .iter()
        .flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
    let servers = KeyServers::of(&slots.environments, Instant::now());
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let observed = observe_place(labels, servers, Cards::LeftDown, patience, |_| false);
    let mut places = Places::of(slots);
    let found = places.try_all(header, slots, &observed, arrangements);
    recognition(header, slots, found, observed, places)
}

fn recognition(
    header: &Header,
    slots: &SlotTable,
    found: Option<PlaceOpened>,
    observed: Observed,
    places: Places,
) -> Option<Recognition> {
    let (at, key) = found.map_or((0, None), |opened| (opened.at, Some(opened.key)));
    let slot = slots.environments.get(at)?;
    Some(Recognition {
        place: slot.name.to_string(),
        comparison: key
            .as_ref()
            .and_then(|key| compare(header, slot, key, &observed).ok()),
        need: slot.need,
        key,
        all_answered: slots.environments.iter().all(|slot| {
            let mut asked = slot.factors.iter().map(|factor| &factor.label);
            asked.all(|label| !is_asked(label) || observed.value(label).is_some())
        }),
        observed,
        places,
    })
}

fn key_from_place(vault: &Vault<VaultDisk>, cards: Cards) -> Result<MasterKey> {
    let locked = |what: String| {
        Problem::new(
            Exit::Locked,
            what,
            "Plug in a backup stick and name it (--stick /dev/sdX1), or use --passphrase or --code.",
        )
    };
    let not_recognised = |found: Option<&Recognition>| {
        let unasked = found.and_then(Recognition::unasked).unwrap_or_default();
        locked(
            format!("The server does not recognise this place. {unasked}")
                .trim_end()
                .into(),
        )
    };
    let slots = vault.slots().map_err(|error| locked(error.to_string()))?;
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let found = recognise(vault.header(), &slots, cards, patience);
    let key = found.as_ref().and_then(|found| found.key.clone());
    key.ok_or_else(|| not_recognised(found.as_ref()))
}

/// Why a neighbour was not asked.
const NOT_ASKED: &str = "Not all neighbours could be asked: no wired card that is up has a \
                         carrier, or sending is not allowed.";

/// Reads the key from the stick that was named, asking for its PIN.
fn key_from_stick(
    vault: &Vault<VaultDisk>,
    device: &Path,
    pin_stdin: bool,
) -> Result<(MasterKey, StickInfo)> {
    let header = vault.header();
    let refused = |error: StickError| match error {
        StickError::NotAllowed => Problem::forbidden(format!("{}: {error}", device.display())),
        _ => Problem::new(
            Exit::Locked,
            error.to_string(),
            "Name a backup stick of this server: --stick /dev/sdX1",
        ),
    };
    let file = stick::read(device, header).map_err(refused)?;
    let pin = if file.info.has_pin() {
        ask::pin(
            &format!("PIN of stick \"{}\": ", file.info.label),
            pin_stdin,
        )?
    } else {
        ask::Pin::default()
    };
    let key = file.open(header, &pin).map_err(refused)?;
    Ok((key, file.info))
}

impl Unlocked {
    /// Takes over a vault whose key is known already.
    ///
    /// # Errors
    /// When the key does not prove it.
    pub(super) fn new(
        vault: Vault<VaultDisk>,
        key: MasterKey,
    ) -> core::result::Result<Self, VaultError> {
        let proven = vault.prove(&key)?;
        Ok(Self {
            vault,
            key,
            proven,
            stick: None,
            fails: false,
        })
    }

    /// What stands in the vault now: since this command began a person may have
    /// been asked, and another command may have changed it.
    ///
    /// # Errors
    /// When the vault cannot be read, or is another one.
    pub fn read_again(&mut self) -> Result<()> {
        self.vault.read_again()?;
        self.proven = self.vault.prove(&self.key)?;
        Ok(())
    }

    /// A disk that refuses a copy is told of, once.
    fn written(&mut self, written: Written) {
        if written == Written::Once && !self.fails {
            self.fails = true;
            println!(
                "The disk that holds the vault begins to fail: it took one copy of two. Make a \
                 backup stick\n(stayput stick make), then replace the disk."
            );
        }
    }

    /// The key that opened the vault.
    pub fn master_key(&self) -> &MasterKey {
        &self.key
    }

    /// Stores in the policy what MariaDB is given at each boot; `None` is nothing.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn set_mariadb(&mut self, release: Option<MariadbRelease>) -> Result<()> {
        // To come here may have taken hours.
        self.read_again()?;
        let mut policy = self.proven.policy.draft();
        let event = match release {
            Some(_) => EventKind::MariadbEnabled,
            None => EventKind::MariadbDisabled,
        };
        policy.mariadb = release;
        self.set_policy(policy)?;
        self.log(event)
    }

    /// Puts this policy in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another policy meanwhile.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        let (policy, written) = self.vault.set_policy(&self.key, policy)?;
        self.proven.policy = policy;
        self.written(written);
        Ok(())
    }

    /// Stores in the policy whom to ask when this place is enrolled after a
    /// reset.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn set_neighbours(&mut self, chosen: &[ChosenFactor]) -> Result<()> {
        self.read_again()?;
        let mut policy = self.proven.policy.draft();
        policy.neighbours = neighbour_addresses(chosen);
        policy.has_servers = chosen.iter().any(|factor| is_key_server(&factor.label));
        self.set_policy(policy)
    }

    /// Puts this list of sticks in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another list meanwhile.
    pub fn set_sticks(&mut self, sticks: StickList) -> Result<()> {
        let (sticks, written) = self.vault.set_sticks(&self.key, sticks)?;
        self.proven.sticks = sticks;
        self.written(written);
        Ok(())
    }

    /// Notes that the stick that has opened the vault for this command opens it: after a
    /// reset no other counts as verified.
    ///
    /// # Errors
    /// As [`Unlocked::set_sticks`].
    pub fn note_stick_used(&mut self) -> Result<()> {
        let Some(used) = self.stick.take() else {
            return Ok(());
        };
        let seen = used.known(crate::sys::clock::now());
        let (sticks, written) = self.vault.note_verified(&self.key, seen)?;
        self.proven.sticks = sticks;
        self.written(written);
        Ok(())
    }

    /// Whether a verified stick, plugged in or not, or the code opens this server after a
    /// reset.
    pub fn way_back(&self) -> WayBack {
        self.vault.way_back(&self.key)
    }

    /// Where a stick or the code is kept, as the vault keeps it.
    pub fn seal_place(&self, place: &PlaceInWords) -> SealedPlace {
        SealedPlace::seal(self.vault.header(), &self.key, place)
    }

    /// Where it is kept; empty where nobody was asked.
    pub fn place(&self, kept: Option<&SealedPlace>) -> PlaceInWords {
        let open = |kept: &SealedPlace| kept.open(self.vault.header(), &self.key);
        kept.and_then(open).unwrap_or_default()
    }

    /// The slots, to be written on; `None` where no place and no passphrase
    /// opens the vault any more.
    ///
    /// # Errors
    /// When they cannot be read, or somebody without the key has changed them.
    pub fn slots(&self) -> Result<Option<Box<SlotTable>>> {
        Ok(self.vault.slots_if_any(&self.key)?)
    }

    /// Puts this table of slots in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another table meanwhile.
    pub fn replace_slots(&mut self, slots: &SlotTable) -> Result<()> {
        let written = self.vault.replace_slots(&self.key, slots)?;
        self.written(written);
        // After a reset the list of sticks has changed with them.
        self.proven = self.vault.prove(&self.key)?;
        Ok(())
    }

    /// Arms the theft state: strikes do not count any more.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn arm(&mut self) -> Result<()> {
        let written = self.vault.arm(&self.key)?;
        self.written(written);
        Ok(())
    }

    /// Appends an event to the vault's log, and seals the log up to it.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn log(&mut self, kind: EventKind) -> Result<()> {
        let (time, boot_id) = (crate::sys::clock::now(), crate::sys::clock::boot_id());
        let written = self.vault.append_sealed(&self.key, time, boot_id, kind)?;
        self.written(written);
        Ok(())
    }
}
