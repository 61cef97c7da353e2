//! What a new vault would overwrite, and who must agree to that.

use std::path::Path;

use super::{InitOptions, lost_vault};
use crate::admin::ask;
use crate::admin::mariadb::Dependence;
use crate::admin::names::SETUP_PLACE;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, Result};
use crate::vault::locate::{self, VaultDisk};
use crate::vault::{
    BlockDevice, EventKind, Header, ServerId, ServerName, VAULT_CONF, Vault, VaultConf, VaultError,
    has_header_mark,
};

/// Refuses a new key where a database depends on the one that there was: no `--force`
/// brings that one back.
pub fn refuse_needed_key() -> Result<()> {
    let vault = vault_conf().ok();
    let vault = vault.and_then(|conf| locate::open_read_only(&conf).ok());
    let policy = vault.and_then(|vault| vault.unproven_policy().ok());
    let gives_keys = policy.map(|policy| policy.as_claimed().mariadb.is_some());
    must_not_be_needed(Dependence::seen(gives_keys).why())
}

fn must_not_be_needed(why: Option<String>) -> Result<()> {
    let Some(why) = why else {
        return Ok(());
    };
    Err(Problem::refused(
        format!(
            "{why} A new vault has another key: what the database holds would be lost for ever. \
             Nothing was changed."
        ),
        "If the vault is lost, a backup stick or the code makes it anew with its own key: stayput \
         init --from-stick DEVICE, or --from-code. If nobody needs what the database holds, \
         --force is not enough: take what is named here away first (apt purge mariadb-server, \
         its data directory, /var/lib/stayput/mariadb.check).",
    ))
}

/// One server has one vault.
pub fn refuse_second_vault(options: &InitOptions) -> Result<()> {
    if !Path::new(VAULT_CONF).exists() {
        return Ok(());
    }
    // A place file that makes no sense needs --force as well.
    let vault = vault_conf()
        .ok()
        .and_then(|conf| locate::open_read_only(&conf).ok());
    may_overwrite(
        vault.as_ref().map(|vault| &vault.header().server_name),
        options,
    )
}

/// A partition that was found may hold a vault that no file here names. One of the
/// server whose vault is said to be `lost` is never overwritten. `known` is
/// vault.conf as it was when the owner agreed.
pub fn refuse_vault_there(
    place: &VaultConf,
    disk: VaultDisk,
    lost: Option<ServerId>,
    known: Option<VaultConf>,
    options: &InitOptions,
) -> Result<()> {
    let agreed = Agreed {
        here: known.as_ref().is_some_and(|known| is_same(known, place)),
        server: known.map(|known| known.server_id),
    };
    let content = content_of(disk);
    match who_must_agree(&content, lost, &agreed) {
        Overwrite::Freely => Ok(()),
        Overwrite::WithForce => may_overwrite(
            content.ok().as_ref().map(|found| &found.header.server_name),
            options,
        ),
        Overwrite::Never => Err(lost_vault::is_readable("in this place")),
        Overwrite::NotOf(error) => Err(error.into()),
    }
}

fn is_same(known: &VaultConf, place: &VaultConf) -> bool {
    known.partition == place.partition && known.file == place.file
}

/// A vault that is in the place of a new one.
struct FoundVault {
    header: Header,
    /// Nothing was ever done with its key: see [`is_unused`].
    is_unused: bool,
}

/// The vault on a disk. Where both copies of its header are damaged there was a vault
/// all the same.
fn content_of(disk: impl BlockDevice) -> std::result::Result<FoundVault, VaultError> {
    let has_mark = has_header_mark(&disk);
    match Vault::open_unrepaired(disk) {
        Ok(vault) => Ok(FoundVault {
            header: vault.header().clone(),
            is_unused: is_unused(&vault),
        }),
        Err(VaultError::NotAVault) if has_mark => Err(VaultError::Damaged),
        Err(error) => Err(error),
    }
}

/// Whether nothing was ever done with a vault but making it, as `init` leaves it where it
/// was killed before it wrote vault.conf: no database, stick, code, person or place has
/// its key. All of that must be read; what cannot be read may have been used.
pub fn is_unused<D: BlockDevice>(vault: &Vault<D>) -> bool {
    let only_made = |kind: &EventKind| *kind == EventKind::VaultMade;
    let is_new = vault.first_events().is_ok_and(|events| {
        events.is_some_and(|events| events.iter().all(|event| only_made(&event.kind)))
    });
    let has_no_place = vault.slots().is_ok_and(|slots| {
        let mut places = slots.environments.iter();
        slots.passphrases.is_empty() && places.all(|place| place.name == SETUP_PLACE)
    });
    let gives_no_keys = vault
        .unproven_policy()
        .is_ok_and(|policy| policy.as_claimed().mariadb.is_none());
    let has_no_stick = vault.unproven_sticks().is_ok_and(|list| {
        let list = list.as_claimed();
        list.sticks.is_empty() && list.code.is_none()
    });
    // A code counts from when it was shown, a stick from before it is written.
    let opens_nothing = vault.unproven_ways().is_ok_and(|ways| {
        let ways = ways.as_claimed();
        ways.sticks.is_empty() && ways.code.is_none()
    });
    is_new && has_no_place && gives_no_keys && has_no_stick && opens_nothing
}

/// What was settled before the place was looked at, by vault.conf: either its
/// vault is lost, or the owner has agreed to replace it.
#[derive(Default)]
struct Agreed {
    /// It names this place.
    here: bool,
    /// The server that it names.
    server: Option<ServerId>,
}

/// Whether what is in a place may be overwritten.
#[derive(Debug, PartialEq, Eq)]
enum Overwrite {
    Freely,
    /// When the owner agrees.
    WithForce,
    /// It is the vault that is said to be lost.
    Never,
    /// Not while it cannot be read for this reason.
    NotOf(VaultError),
}

fn who_must_agree(
    content: &std::result::Result<FoundVault, VaultError>,
    lost: Option<ServerId>,
    agreed: &Agreed,
) -> Overwrite {
    match content {
        Ok(found) if lost == Some(found.header.server_id) => Overwrite::Never,
        Ok(found) if lost.is_none() && agreed.server == Some(found.header.server_id) => {
            Overwrite::Freely
        }
        Ok(found) if found.is_unused => Overwrite::Freely,
        Ok(_) => Overwrite::WithForce,
        Err(VaultError::NotAVault) => Overwrite::Freely,
        // It is whole, and may be of the server whose vault is said to be lost.
        Err(VaultError::Newer) if lost.is_some() => Overwrite::NotOf(VaultError::Newer),
        Err(_) if agreed.here => Overwrite::Freely,
        // What a stick or the code is for.
        Err(VaultError::Damaged) if lost.is_some() => Overwrite::Freely,
        // It may be mended, or read by another version.
        Err(VaultError::Damaged | VaultError::Newer | VaultError::Older) => Overwrite::WithForce,
        Err(error) => Overwrite::NotOf(*error),
    }
}

fn may_overwrite(name: Option<&ServerName>, options: &InitOptions) -> Result<()> {
    let of = name.map_or("whose header cannot be read here".into(), |name| {
        format!("of the server \"{name}\"")
    });
    let name = name.map_or("unknown", |name| name.as_str());
    if !options.force {
        return Err(Problem::refused(
            format!("There is a vault already, {of}."),
            "Nothing was changed. To replace it, and lose what only its key opens: --force",
        ));
    }
    // Scripts confirm it with --name.
    if options.yes && options.name.as_deref() == Some(name) {
        return Ok(());
    }
    println!("What is encrypted with the old key is lost, unless a stick still has it.");
    if ask::line(&format!(
        "Type the server's name ({name}) to replace its vault: "
    ))? == name
    {
        return Ok(());
    }
    Err(Problem::refused(
        "That is not the server's name.",
        "Nothing was changed.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{
        BLOCK_SIZE, KnownCode, LOG_BLOCKS, LOG_NEWEST, MariadbRelease, MemoryDevice, Policy,
        SlotTable, StickList, VAULT_BLOCKS, log,
    };

    fn vault() -> Vault<MemoryDevice> {
        let (id, name) = (ServerId([7; 16]), "clinic".try_into().unwrap());
        let slots = SlotTable::default();
        Vault::create(
            MemoryDevice::default(),
            id,
            name,
            &MasterKey::generate(),
            &slots,
        )
        .unwrap()
    }

    #[test]
    fn a_vault_of_another_format_needs_force() {
        let here = Agreed {
            here: true,
            server: Some(ServerId([7; 16])),
        };
        let nowhere = Agreed::default();
        let lost = Some(ServerId([7; 16]));
        let eio = VaultError::Device(libc::EIO);
        use Overwrite::{Freely, NotOf, WithForce};
        use VaultError::{Damaged, Newer, NotAVault, Older};
        for (content, lost, agreed, expected) in [
            (NotAVault, None, &nowhere, Freely),
            (NotAVault, lost, &nowhere, Freely),
            (Damaged, None, &nowhere, WithForce),
            (Damaged, None, &here, Freely),
            (Damaged, lost, &nowhere, Freely),
            (Older, None, &nowhere, WithForce),
            (Older, None, &here, Freely),
            (Older, lost, &nowhere, WithForce),
            (Older, lost, &here, Freely),
            (Newer, None, &nowhere, WithForce),
            (Newer, None, &here, Freely),
            (Newer, lost, &nowhere, NotOf(Newer)),
            (Newer, lost, &here, NotOf(Newer)),
            (eio, None, &nowhere, NotOf(eio)),
            (eio, lost, &nowhere, NotOf(eio)),
            (eio, lost, &here, Freely),
        ] {
            let case = format!("{content:?}, {lost:?}, here: {}", agreed.here);
            assert_eq!(
                who_must_agree(&Err(content), lost, agreed),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn a_whole_vault_is_overwritten_by_its_owner_alone() {
        let found = Ok(FoundVault {
            header: vault().header().clone(),
            is_unused: false,
        });
        let own = Agreed {
            here: true,
            server: Some(ServerId([7; 16])),
        };
        let other = Some(ServerId([8; 16]));
        let nothing = Agreed::default();
        let must_agree = |lost, agreed| who_must_agree(&found, lost, agreed);
        assert_eq!(must_agree(None, &nothing), Overwrite::WithForce);
        assert_eq!(must_agree(None, &own), Overwrite::Freely);
        assert_eq!(must_agree(other, &own), Overwrite::WithForce);
        assert_eq!(must_agree(Some(ServerId([7; 16])), &own), Overwrite::Never);
    }

    #[test]
    fn a_vault_with_both_headers_damaged_is_not_nothing() {
        let mut disk = vault().into_device();
        disk.damage(0);
        disk.damage(VAULT_BLOCKS / 2);
        assert_eq!(content_of(disk.clone()).err(), Some(VaultError::Damaged));
        // As `init` leaves it where the power went before the header.
        for copy in [0, VAULT_BLOCKS as usize / 2] {
            disk.bytes[copy * BLOCK_SIZE..][..BLOCK_SIZE].fill(0);
        }
        assert_eq!(content_of(disk).err(), Some(VaultError::NotAVault));
    }

    #[test]
    fn vault_that_init_was_killed_at_is_made_anew() {
        let is_unused = |vault: Vault<MemoryDevice>| content_of(vault.into_device()).unwrap();
        let agreed = |found| who_must_agree(&Ok(found), None, &Agreed::default());
        assert_eq!(agreed(is_unused(vault())), Overwrite::Freely);
        let mut made = vault();
        made.append(1, [0; 16], EventKind::VaultMade).unwrap();
        assert_eq!(agreed(is_unused(made)), Overwrite::Freely);
    }

    #[test]
    fn no_vault_is_made_anew_beside_a_database_that_needs_its_key() {
        assert!(must_not_be_needed(None).is_ok());
        let problem = must_not_be_needed(Some("MariaDB is encrypted.".into())).unwrap_err();
        let told = problem.to_string();
        assert!(
            told.contains("--from-stick") && told.contains("take what is named here away first"),
            "{told}"
        );
    }

    /// Either the newest block, or one of the ring while the newest is whole.
    #[test]
    fn vault_whose_log_is_damaged_is_not_unused() {
        let mut used = vault();
        used.append(1, [0; 16], EventKind::VaultMade).unwrap();
        let whole = used.into_device();
        assert!(content_of(whole.clone()).unwrap().is_unused);
        for region in [LOG_NEWEST, log(0), log(LOG_BLOCKS - 1)] {
            let mut disk = whole.clone();
            for copy in [0, VAULT_BLOCKS / 2] {
                let at = (region.start + copy) as usize * BLOCK_SIZE;
                disk.bytes[at..][..BLOCK_SIZE].fill(7);
            }
            assert!(!content_of(disk).unwrap().is_unused, "{region:?}");
        }
    }

    #[test]
    fn vault_that_was_used_once_is_not_made_anew() {
        let mut started = vault();
        started.append(1, [0; 16], EventKind::CodeShown).unwrap();
        assert!(!is_unused(&started));

        let key = MasterKey::generate();
        let disk = MemoryDevice::default();
        let name = "clinic".try_into().unwrap();
        let mut vault =
            Vault::create(disk, ServerId([7; 16]), name, &key, &SlotTable::default()).unwrap();
        assert!(is_unused(&vault));
        let release = MariadbRelease::new(101, 102, 1);
        let policy = Policy {
            mariadb: Some(release),
            ..Policy::default()
        };
        vault.set_policy(&key, policy).unwrap();
        assert!(!is_unused(&vault), "a database has its keys");
        vault.set_policy(&key, Policy::default()).unwrap();
        let code = KnownCode {
            generation: 1,
            verified: 1,
            kept: None,
        };
        let list = StickList {
            code: Some(code),
            ..StickList::default()
        };
        vault.set_sticks(&key, list).unwrap();
        assert!(!is_unused(&vault), "the code is on paper");
    }
}
