//! One function for each parser of untrusted bytes, for the targets in `fuzz/`.
//! None of them may panic, hang or take much more memory than its input.

use crate::admin::fuzzing as admin;
use crate::backup::{Manifest, Newest};
use crate::boot::fuzzing as boot;
use crate::environment::{
    Advertisement, Arrangements, Observed, ReplyReader, parse_advertisement, parse_arp_reply,
    parse_arp_sender, parse_server_answer,
};
use crate::filesystem::{Format, has_unreplayed_journal};
use crate::keys::{MasterKey, RecoveryCode, Secret32, TypedCode};
use crate::opening::Situation;
use crate::opening::places::Places;
use crate::release::mariadb::{CheckFile, KeyFile};
use crate::stick::answer::{ANSWER_BYTES, decode};
use crate::stick::{StickFile, file_names};
use crate::theft::TheftState;
use crate::vault::gpt::{Gpt, entries_at, is_protective, mbr_partition_id};
use crate::vault::{
    Header, MemoryDevice, SlotTable, Value, Vault, VaultConf, WaysCopy, read_as_each_record,
    wrong_entries,
};

/// Opens, repairs and reads a vault that begins with these bytes, as the boot
/// stage does.
pub fn vault_image(bytes: &[u8]) {
    let Ok(vault) = Vault::open(MemoryDevice::holding(bytes)) else {
        return;
    };
    let key = MasterKey::from_secret(Secret32::new([0; 32]));
    let _ = vault.state();
    let _ = vault
        .unproven_policy()
        .map(|policy| policy.as_claimed().theft.wait());
    let _ = vault
        .unproven_sticks()
        .map(|list| list.as_claimed().way_back(1, &[]));
    let _ = vault.unproven_ways();
    let _ = vault.slots();
    let _ = vault.prove(&key);
    let _ = vault.events().map(|events| wrong_entries(&events));
}

/// Reads theft state, policy and list of sticks, unproven.
pub fn unproven_records(bytes: &[u8]) {
    read_as_each_record(bytes);
}

/// Decodes a slot table, and looks for what to try where all of its factors answer.
pub fn slot_table(bytes: &[u8]) {
    let Ok(slots) = SlotTable::decode(bytes) else {
        return;
    };
    let mut observed = Observed::default();
    let factors = slots.environments.iter().flat_map(|slot| &slot.factors);
    for (factor, number) in factors.zip(0u8..) {
        let value = Value::from_slice(&[number / 2, 1]).expect("two bytes fit");
        observed.note(&factor.label, &value);
    }
    let places = Places::of(&slots);
    let _ = places.has_next(&slots, &observed, Arrangements::All);
    let situation = Situation {
        slots: Ok(&slots),
        state: TheftState::Armed,
        observed: &observed,
        places: &places,
    };
    let _ = situation.could_be_foreign();
    let _ = situation.reason(None);
}

/// Parses a recovery code in one piece, and typed line by line.
pub fn recovery_code(bytes: &[u8]) {
    let server_id = [0; 16];
    let _ = RecoveryCode::parse(bytes, &server_id);
    let mut typed = TypedCode::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let _ = typed.push(line);
    }
    let _ = typed.finish(&server_id);
}

/// Parses a stick's key file and a copy of the ways in, as they are and with a right
/// digest.
pub fn stick_file(bytes: &[u8]) {
    let key = MasterKey::from_secret(Secret32::new([0; 32]));
    let header = Header::of_a_new_server(&key);
    let _ = file_names(&header.server_id);
    let _ = StickFile::parse(bytes, &header);
    let _ = StickFile::parse(&StickFile::with_right_digest(bytes), &header);
    let copies = [bytes, &WaysCopy::with_right_digest(bytes)];
    for copy in copies.map(|bytes| WaysCopy::parse(bytes, &header.server_id)) {
        let _ = copy.map(|copy| copy.ways());
    }
}

/// Parses what the child that reads a stick says of a volume; the bytes are cut,
/// or filled up with zeros.
pub fn stick_answer(bytes: &[u8]) {
    let mut whole = vec![0; ANSWER_BYTES];
    let length = bytes.len().min(ANSWER_BYTES);
    whole[..length].copy_from_slice(&bytes[..length]);
    let _ = decode(&whole);
}

/// Recognises what a volume that begins with these bytes is formatted as.
pub fn volume_format(bytes: &[u8]) {
    let _ = (Format::of(bytes), has_unreplayed_journal(bytes));
}

/// Parses vault.conf.
pub fn vault_conf(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = VaultConf::parse(text);
    }
}

/// Parses a partition table: a sector of 512 bytes, then the entries.
pub fn partition_table(bytes: &[u8]) {
    let (sector, entries) = bytes.split_at(bytes.len().min(512));
    let _ = is_protective(sector);
    let _ = mbr_partition_id(sector, 1);
    let _ = entries_at(sector);
    if let Ok(gpt) = Gpt::parse(sector, entries) {
        let _ = gpt.gaps(1920, 8);
    }
}

/// Parses an ARP packet.
pub fn arp_reply(bytes: &[u8]) {
    let _ = (parse_arp_reply(bytes), parse_arp_sender(bytes));
}

/// Parses a neighbour advertisement.
pub fn neighbour_advertisement(bytes: &[u8]) {
    let _ = parse_advertisement(bytes);
}

/// Reads a key server's reply, in pieces of the length in the first byte, and
/// the key in it.
pub fn server_reply(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let mut reader = ReplyReader::default();
    let mut reply = None;
    for part in bytes.chunks(usize::from(*piece).max(1)) {
        match reader.push(part) {
            Ok(found) => reply = reply.or(found),
            Err(_) => return,
        }
    }
    if let Some(reply) = reply.or_else(|| reader.closed().ok()) {
        let _ = parse_server_answer(&reply.body);
    }
}

/// Parses a key server's advertisement, as it is and as a payload.
pub fn server_keys(bytes: &[u8]) {
    let _ = parse_server_answer(bytes);
    let _ = Advertisement::parse(bytes, &[]);
    let _ = Advertisement::with_payload(bytes);
}

/// Reads a device event of the kernel.
pub fn uevent(bytes: &[u8]) {
    boot::uevent(bytes);
}

/// Reads keys typed at a console, and each line as a command.
pub fn typed_keys(bytes: &[u8]) {
    boot::typed_keys(bytes);
}

/// Parses MariaDB's key file.
pub fn mariadb_key_file(bytes: &[u8]) {
    let _ = KeyFile::parse(bytes);
}

/// Parses the check file of MariaDB's keys.
pub fn mariadb_check_file(bytes: &[u8]) {
    let _ = CheckFile::parse(bytes);
}

/// Reads a backup's manifest, as a whole and as what its HMAC covers.
pub fn backup_manifest(bytes: &[u8]) {
    Manifest::read_anyhow(bytes);
}

/// Reads what a server remembers of its backups, as a whole and as what its HMAC covers.
pub fn backup_newest(bytes: &[u8]) {
    Newest::read_anyhow(bytes);
}

/// Reads an initramfs, and what in it runs before the stage.
pub fn initramfs_image(bytes: &[u8]) {
    admin::initramfs_image(bytes);
}
