use super::*;
use crate::filesystem::DRIVERS;

const DEVICE: LocateError = LocateError::Vault(VaultError::Device(libc::EIO));

#[test]
fn a_disk_that_is_away_is_told_from_what_it_holds() {
    for away in [
        LocateError::NoPartition,
        DEVICE,
        LocateError::Open(libc::EIO),
        LocateError::Open(libc::ENOMEDIUM),
    ] {
        assert!(away.is_of_the_disk(), "{away:?}");
        assert!(away.is_lost(), "{away:?}");
    }
    for holds in [
        LocateError::OtherServer,
        LocateError::Vault(VaultError::Damaged),
        LocateError::Open(libc::EBUSY),
        LocateError::NoDriver(DRIVERS[0]),
    ] {
        assert!(!holds.is_of_the_disk(), "{holds:?}");
    }
}

#[test]
fn a_vault_that_may_be_whole_is_not_called_lost() {
    for lost in [
        LocateError::Vault(VaultError::NotAVault),
        LocateError::Vault(VaultError::Damaged),
        LocateError::Vault(VaultError::Older),
        LocateError::Open(libc::ENOENT),
        LocateError::Open(libc::EUCLEAN),
    ] {
        assert!(lost.is_lost(), "{lost:?}");
    }
    for may_be_whole in [
        LocateError::OtherServer,
        LocateError::Vault(VaultError::Newer),
        LocateError::Vault(VaultError::PepperDamaged),
        LocateError::Vault(VaultError::Busy(None)),
        LocateError::Open(libc::EBUSY),
        LocateError::Open(libc::EACCES),
        LocateError::NoDriver(DRIVERS[0]),
    ] {
        assert!(!may_be_whole.is_lost(), "{may_be_whole:?}");
    }
}

#[test]
fn what_is_wrong_with_the_vault_is_told_before_other_disks() {
    use LocateError::{NoPartition, NotAllowed, OtherServer, Unread};
    let (other_disk, forbidden) = (Unread(libc::EIO), NotAllowed(libc::EPERM));
    for (first, then, told) in [
        (NoPartition, other_disk, other_disk),
        (other_disk, NoPartition, other_disk),
        (other_disk, forbidden, forbidden),
        (OtherServer, forbidden, OtherServer),
        (forbidden, OtherServer, OtherServer),
        (OtherServer, DEVICE, OtherServer),
    ] {
        assert_eq!(first.or_graver(then), told, "{first:?}, {then:?}");
    }
}

#[test]
fn each_reason_names_the_disk_or_the_vault() {
    for error in [
        LocateError::NoPartition,
        DEVICE,
        LocateError::OtherServer,
        LocateError::Open(libc::EBUSY),
        LocateError::NoDriver(DRIVERS[0]),
    ] {
        assert!(error.to_string().contains(" vault"), "{error}");
    }
    let driver = LocateError::NoDriver(DRIVERS[0]).to_string();
    assert!(driver.contains(DRIVERS[0].module), "{driver}");
}

#[test]
fn mount_that_is_not_allowed_is_told_so() {
    let of = |errno| LocateError::from(MountError::Failed(errno));
    for errno in [Errno::EACCES, Errno::EPERM] {
        assert_eq!(of(errno), LocateError::NotAllowed(errno as i32));
    }
    // A device that takes no writes is looked at all the same.
    assert_eq!(of(Errno::EROFS), LocateError::Open(libc::EROFS));
}
