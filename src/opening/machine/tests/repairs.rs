//! Repairs and changes at home, and what a thief does with the same parts. Three boots
//! each, with a policy that resets at the third strike.

use super::boot::{Boot, Done};
use super::clinic::{Clinic, EnrolledFactor};
use crate::keys::scrypts_of;
use crate::opening::host::Host;
use crate::theft::{OnStrikes, ResetCause, TheftPolicy, TheftState};
use crate::vault::{Group, Label, Thresholds, Value};

const MACHINE: [(&str, &str); 6] = [
    ("board", "CZ1234"),
    ("processor", "Some CPU"),
    ("nic 0000:03:00.0", "nic c"),
    ("nic 0000:03:00.1", "nic d"),
    ("disk 0000:00:1f.2 at 0:0:0", "disk a"),
    ("disk 0000:00:1f.2 at 0:1:0", "disk b"),
];
const ROUTER: (&str, &str) = ("arp 10.0.0.1", "router");
const PRINTER: (&str, &str) = ("arp 10.0.0.2", "printer");
const SWITCH: (&str, &str) = ("arp 10.0.0.3", "switch");
const HOME: [(&str, &str); 3] = [ROUTER, PRINTER, SWITCH];
/// Five of six parts and two of three neighbours.
const NEED: Thresholds = Thresholds {
    machine: 5,
    neighbours: 2,
    servers: 0,
};

pub fn resets_at_the_third() -> TheftPolicy {
    TheftPolicy {
        strikes: 3,
        on_strikes: OnStrikes::Reset,
        ..TheftPolicy::default()
    }
}

pub fn value(text: &str) -> Value {
    Value::from_slice(text.as_bytes()).unwrap()
}

pub fn of_group<'a>(group: Group, factors: &[(&'a str, &str)]) -> Vec<EnrolledFactor<'a>> {
    let factors = factors.iter();
    factors
        .map(|(label, text)| (group, *label, value(text)))
        .collect()
}

pub fn answers(stations: &[(&str, &str)]) -> Vec<(Label, Value)> {
    let stations = stations.iter();
    stations
        .map(|(label, text)| ((*label).try_into().unwrap(), value(text)))
        .collect()
}

impl Boot<'_> {
    pub fn answer(&mut self, stations: &[(&str, &str)]) {
        let answers = answers(stations);
        self.tell(crate::opening::act::Event::Answers(&answers));
    }

    fn strikes(&self) -> usize {
        self.count(|done| matches!(done, Done::Struck(_) | Done::Destroyed { .. }))
    }
}

fn clinic() -> Clinic {
    let machine = of_group(Group::Machine, &MACHINE);
    let factors = [machine, of_group(Group::Neighbours, &HOME)].concat();
    Clinic::of(resets_at_the_third(), &[(&factors, NEED)]).with_listed_stick()
}

fn made_of(parts: &[(&str, &str)]) -> Clinic {
    let mut clinic = clinic();
    clinic.machine = answers(parts);
    clinic
}

/// Three boots open, the first without a question.
#[track_caller]
pub fn opens(clinic: &mut Clinic, around: &[(&str, &str)]) {
    for boot in 1..=3 {
        let mut boots = clinic.starts();
        boots.answer(around);
        boots.runs_until(4);
        assert!(boots.released(), "boot {boot}: {:?}", boots.done);
        assert!(!boots.said("is locked"), "no prompt flashes by");
    }
}

/// Three boots ask with these words, and count no strike.
#[track_caller]
pub fn asks(clinic: &mut Clinic, around: &[(&str, &str)], words: &str) {
    for boot in 1..=3 {
        let mut boots = clinic.starts();
        boots.answer(around);
        boots.runs_until(300);
        assert!(!boots.released());
        assert!(boots.said(words), "boot {boot}: {:?}", boots.done);
        assert_eq!(boots.strikes(), 0, "{:?}", boots.done);
    }
    assert_eq!(clinic.vault.state(), Ok(TheftState::Armed));
}

/// Three boots are three strikes, and the third is a reset.
#[track_caller]
pub fn strikes(clinic: &mut Clinic, around: &[(&str, &str)]) {
    for boot in 1..=3 {
        let mut boots = clinic.starts();
        boots.answer(around);
        boots.runs_until(300);
        assert!(boots.has_done(&Done::Struck(boot)), "{:?}", boots.done);
        let cause = ResetCause::Strikes;
        let destroyed = boots.has_done(&Done::Destroyed { cause, wiped: true });
        assert_eq!(destroyed, boot == 3);
    }
}

/// The same parts, but for those of `kind`, and with these in their stead.
fn but<'a>(kind: &str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parts = MACHINE.to_vec();
    parts.retain(|(label, _)| !label.starts_with(kind));
    parts.extend(others);
    parts
}

const CHANGED: &str = "This is its place, but parts of this machine are not";

#[test]
fn one_scrypt_opens_the_server_at_home() {
    let mut clinic = clinic();
    let mut boot = clinic.starts();
    boot.answer(&HOME);
    assert_eq!(scrypts_of(|| boot.turn()).len(), 1);
    assert!(boot.released());
}

#[test]
fn while_a_neighbour_may_come_only_enrolled_rows_are_tried() {
    let mut clinic = clinic();
    let mut boot = clinic.starts();
    boot.answer(&[(PRINTER.0, "new printer"), SWITCH]);
    let rows = scrypts_of(|| boot.runs_until(2));
    assert_eq!(rows.len(), 6, "each choice of parts, with these two");
    assert!(!scrypts_of(|| boot.runs_until(4)).is_empty());
}

#[test]
fn a_replaced_mainboard_asks_and_says_so() {
    let mut parts = but("board", &[("board", "CZ9999")]);
    parts.retain(|(label, _)| !label.starts_with("nic"));
    parts.extend([("nic 0000:03:00.0", "nic x"), ("nic 0000:03:00.1", "nic y")]);
    asks(&mut made_of(&parts), &HOME, CHANGED);
}

#[test]
fn a_mainboard_with_fewer_cards_asks_and_counts_them() {
    let mut parts = but("board", &[]);
    parts.retain(|(label, _)| !label.starts_with("nic"));
    let counted = "This machine is not as it was: 3 of 6 parts are there, 5 are needed.";
    asks(&mut made_of(&parts), &HOME, counted);
}

#[test]
fn swapped_scsi_targets_open() {
    let disks = [
        ("disk 0000:00:1f.2 at 0:0:0", "disk b"),
        ("disk 0000:00:1f.2 at 0:1:0", "disk a"),
    ];
    let mut clinic = made_of(&but("disk", &disks));
    opens(&mut clinic, &HOME);
    let mut boot = clinic.starts();
    boot.answer(&HOME);
    assert_eq!(
        scrypts_of(|| boot.turn()).len(),
        1,
        "as if nothing had changed"
    );
}

#[test]
fn a_pci_card_more_that_renumbers_the_others_opens() {
    for new in ["nic a", "nic cc", "nic z"] {
        let cards = [
            ("nic 0000:03:00.0", new),
            ("nic 0000:04:00.0", "nic c"),
            ("nic 0000:04:00.1", "nic d"),
        ];
        opens(&mut made_of(&but("nic", &cards)), &HOME);
    }
    // A controller in front of the disks.
    let disks = [
        ("disk 10000:e1:00.0", "disk a"),
        ("disk 0000:05:00.0 port 1", "disk b"),
    ];
    opens(&mut made_of(&but("disk", &disks)), &HOME);
}

#[test]
fn new_smbios_words_after_a_firmware_update_open() {
    let mut clinic = made_of(&but("board", &[("board", "Not what it was")]));
    opens(&mut clinic, &HOME);
    let mut boot = clinic.starts();
    boot.answer(&HOME);
    boot.runs_until(4);
    let told = Done::Logged("not as it was enrolled: board".into());
    assert!(boot.has_done(&told), "{:?}", boot.done);
}

#[test]
fn a_replaced_disk_and_a_replaced_router_open_together() {
    for new in ["disk 0", "disk aa", "disk x"] {
        let disks = [("disk 0000:00:1f.2 at 0:0:0", new), MACHINE[5]];
        let around = [(ROUTER.0, "new router"), PRINTER, SWITCH];
        opens(&mut made_of(&but("disk", &disks)), &around);
    }
}

#[test]
fn only_what_has_changed_is_told_as_the_last_change() {
    let (new_router, off) = (
        [(ROUTER.0, "new router"), PRINTER, SWITCH],
        [ROUTER, PRINTER],
    );
    for (around, is_told) in [(&HOME[..], false), (&new_router, true), (&off, false)] {
        let mut clinic = clinic();
        let mut boot = clinic.starts();
        boot.answer(around);
        boot.runs_until(4);
        assert!(boot.released());
        let told = boot.count(|done| match done {
            Done::ToldAtLogin(text) => text.contains("one change more"),
            Done::Logged(text) => text.contains("one more change"),
            _ => false,
        });
        // To whoever logs in, and in the kernel's log.
        assert_eq!(told, if is_told { 2 } else { 0 }, "{around:?}");
    }
}

#[test]
fn two_stations_whose_addresses_dhcp_swapped_open() {
    let swapped = [ROUTER, (PRINTER.0, SWITCH.1), (SWITCH.0, PRINTER.1)];
    opens(&mut clinic(), &swapped);
    // Also where one is off, and where a part of the machine was replaced too.
    opens(&mut clinic(), &swapped[..2]);
    let parts = but("nic", &[("nic 0000:03:00.0", "nic b"), MACHINE[3]]);
    opens(&mut made_of(&parts), &swapped[..2]);
}

#[test]
fn a_replaced_printer_and_a_late_router_after_a_power_cut_open() {
    let mut clinic = clinic();
    for _ in 0..3 {
        let mut boot = clinic.starts();
        boot.answer(&[(PRINTER.0, "new printer"), SWITCH]);
        boot.runs_until(300);
        assert!(boot.said("This server has not found its place so far."));
        assert_eq!(boot.strikes(), 0, "{:?}", boot.done);
        boot.answer(&[ROUTER]);
        boot.passes(1);
        assert!(boot.released());
    }
}

#[test]
fn a_foreign_place_with_the_same_network_plan_is_a_strike() {
    let others = HOME.map(|(label, _)| (label, "another"));
    let others = [
        (others[0].0, "one"),
        (others[1].0, "two"),
        (others[2].0, "three"),
    ];
    strikes(&mut clinic(), &others);
    // One of its neighbours was taken along.
    strikes(&mut clinic(), &[ROUTER, others[1], others[2]]);
}

#[test]
fn the_disk_alone_in_another_machine_elsewhere_is_a_strike() {
    let others = MACHINE.map(|(label, _)| (label, label));
    let around = [(ROUTER.0, "one"), (PRINTER.0, "two"), (SWITCH.0, "three")];
    strikes(&mut made_of(&others), &around);
}

#[test]
fn the_box_alone_is_silent_and_no_strike() {
    asks(
        &mut clinic(),
        &[],
        "The place is silent: 0 of 3 neighbours answer",
    );
}
