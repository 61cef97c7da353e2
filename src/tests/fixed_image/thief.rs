//! What a thief reads in a vault, who opens nothing of it.

use std::collections::BTreeSet;

use super::content::{BEGUN, made};
use crate::keys::{Keyring, MasterKey};
use crate::vault::*;

/// The strings of four letters or more that somebody reads who has the disk.
/// The pepper is on it, so the slot table is not secret either.
fn strings(vault: &Vault<MemoryDevice>) -> BTreeSet<String> {
    let mut bytes = vault.device().bytes.clone();
    for block in bytes.chunks_exact_mut(BLOCK_SIZE) {
        // Here is a record's digest.
        block[32..64].fill(0);
    }
    let mut table = vec![0; 1 << 20];
    bytes.push(0);
    bytes.extend(&*postcard::to_slice(&vault.slots().unwrap(), &mut table).unwrap());
    let runs = bytes.split(|byte| !(b' '..=b'~').contains(byte));
    let strings = runs.filter(|run| run.len() >= 4);
    strings
        .map(|run| String::from_utf8(run.to_vec()).unwrap())
        .collect()
}

#[test]
fn a_thief_reads_in_the_vault_what_threats_md_lists() {
    let of = |days: u64| {
        made(
            Keyring::of_one(1, MasterKey::generate()),
            BEGUN + days * 86_400,
        )
    };
    let (first, second, third) = (of(0).vault, of(1).vault, of(2).vault);
    // What is random, made from the key or a digest of the log is not the same
    // three times; of two vaults one in twenty pairs has four letters in common.
    let clear = &(&strings(&first) & &strings(&second)) & &strings(&third);
    let listed = [
        ("SPUT", "where a vault begins"),
        ("a server's id ", "the server's id and name"),
        ("clinic ", "the server's id and name"),
        ("office", "labels of sticks"),
        ("bare", "labels of sticks"),
        ("home", "names of the places"),
        ("second", "names of the places"),
        ("halima", "names of people with a passphrase"),
        ("night", "names of people with a passphrase"),
        ("board", "which parts of the machine are enrolled"),
        ("disk 1", "which parts of the machine are enrolled"),
        ("disk 2", "which parts of the machine are enrolled"),
        ("arp 192.168.1.1", "addresses of the neighbours"),
        ("arp 192.168.1.2", "addresses of the neighbours"),
        ("nd fe80::1", "addresses of the neighbours"),
        (
            "tang 192.168.1.5:7500 second",
            "addresses and public keys of the key servers",
        ),
        (
            "tang [fe80::5]:80 second",
            "addresses and public keys of the key servers",
        ),
    ];
    let expected = listed.map(|(string, _)| string.to_owned());
    assert_eq!(clear, BTreeSet::from(expected));
    let threats = include_str!("../../../docs/threats.md").split_whitespace();
    let threats = threats.collect::<Vec<_>>().join(" ");
    for (string, words) in listed {
        assert!(threats.contains(words), "{string}: {words}");
    }
}
