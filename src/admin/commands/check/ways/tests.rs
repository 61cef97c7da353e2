//! What answers now, and would not be reached after a power cut.

use super::*;
use crate::admin::initramfs::{Hardening, Image, InstalledCopy, Kernel};
use crate::admin::installed_files::InstalledStage;
use crate::vault::Count;

const NEIGHBOUR: Way = Way {
    label: String::new(),
    group: Group::Neighbours,
    over: Over::Cards(Vec::new()),
    address: StageAddress::NotNeeded,
};

fn server(over: Over, address: StageAddress) -> Way {
    Way {
        label: "tang 10.9.9.9:7500".into(),
        group: Group::Servers,
        over,
        address,
    }
}

fn interface(name: &str) -> Over {
    Over::Interfaces(vec![name.into()])
}

fn card() -> Over {
    Over::Cards(vec!["eth0".into()])
}

fn enrolled(held: Held) -> StageAddress {
    StageAddress::Enrolled("192.168.77.10".parse().unwrap(), held)
}

/// `need` of all these ways are needed in their group.
fn facts(ways: Vec<Way>, need: u8) -> WaysFacts {
    let count = |group| {
        let of_group = ways.iter().filter(|way| way.group == group).count() as u8;
        Count {
            count: of_group,
            of: of_group,
        }
    };
    let same = FactorCounts::from_fn(count);
    let need = Thresholds::from_fn(|group| need.min(same.of(group).count));
    WaysFacts {
        ways,
        same,
        need,
        cards: 2,
    }
}

fn kernel(is_next: bool, script: &str) -> Kernel {
    Kernel {
        version: "6.1".into(),
        is_next,
        image: Ok(Image {
            stage: InstalledCopy::Same,
            vault_conf: InstalledCopy::Same,
            script: InstalledCopy::Same,
            before: Some(Vec::new()),
            missing: Vec::new(),
            network: ImageNetwork::of(&[script.to_owned()], "", "", ""),
        }),
    }
}

fn severities(facts: &WaysFacts, kernels: Vec<Kernel>) -> Vec<Severity> {
    let initramfs = InitramfsFacts {
        kernels,
        installed_stage: InstalledStage::ThisBuild,
        scripts: true,
        panic: true,
        hardening: Hardening::default(),
    };
    let results = judge(Some(facts), &initramfs);
    results.iter().map(|result| result.severity).collect()
}

const VLAN: &str = "ip link add link eth0 name eth0.5 type vlan id 5\n";

#[test]
fn key_server_behind_a_tunnel_is_not_reached_at_a_boot() {
    let tunnel = facts(vec![server(interface("wg0"), StageAddress::None)], 1);
    assert_eq!(
        severities(&tunnel, vec![kernel(true, "")]),
        [Severity::Wrong]
    );
    let makes_it = "ip link add wg0 type wireguard\nip addr add 10.9.9.10/24 dev wg0\n";
    assert_eq!(severities(&tunnel, vec![kernel(true, makes_it)]), []);
}

#[test]
fn neighbours_on_a_vlan_need_a_script_in_every_next_initramfs() {
    let neighbour = || Way {
        over: interface("eth0.5"),
        ..NEIGHBOUR
    };
    let all = facts(vec![neighbour(), neighbour()], 1);
    let wrong = [Severity::Wrong; 2];
    assert_eq!(severities(&all, vec![kernel(true, "")]), wrong);
    assert_eq!(severities(&all, vec![kernel(true, VLAN)]), []);
    let newer_without = vec![kernel(true, ""), kernel(true, VLAN)];
    assert_eq!(severities(&all, newer_without), wrong);
    let older_without = vec![kernel(true, VLAN), kernel(false, "")];
    assert_eq!(severities(&all, older_without), []);
    // Enough others stand on the card's own wire.
    let some = facts(vec![neighbour(), NEIGHBOUR, NEIGHBOUR], 2);
    assert_eq!(
        severities(&some, vec![kernel(true, "")]),
        [Severity::Warning]
    );
}

#[test]
fn vlan_without_an_address_reaches_no_key_server() {
    let on_vlan = facts(vec![server(interface("eth0.5"), StageAddress::None)], 1);
    assert_eq!(
        severities(&on_vlan, vec![kernel(true, VLAN)]),
        [Severity::Wrong]
    );
    let with_address = format!("{VLAN}ip addr add 10.9.9.10/24 dev eth0.5\n");
    assert_eq!(severities(&on_vlan, vec![kernel(true, &with_address)]), []);
}

#[test]
fn key_server_needs_an_address_that_will_be_there() {
    for (address, expected) in [
        (StageAddress::None, Some(Severity::Wrong)),
        (enrolled(Held::Another), Some(Severity::Wrong)),
        (enrolled(Held::Lent), Some(Severity::Warning)),
        (enrolled(Held::Nobody), Some(Severity::Warning)),
        (enrolled(Held::Fixed), None),
    ] {
        let facts = facts(vec![server(card(), address)], 1);
        let found = severities(&facts, vec![kernel(true, "")]);
        assert_eq!(found, Vec::from_iter(expected), "{address:?}");
        // What is set for the card is there whatever was enrolled.
        let network = "ip addr add 192.168.77.20/24 dev eth0\n";
        assert_eq!(severities(&facts, vec![kernel(true, network)]), []);
    }
}

#[test]
fn address_for_another_card_excuses_none() {
    let found = |address, script, cards| {
        let facts = WaysFacts {
            cards,
            ..facts(vec![server(card(), address)], 1)
        };
        severities(&facts, vec![kernel(true, script)])
    };
    let lost = [StageAddress::None, enrolled(Held::Another)];
    for address in lost.into_iter().chain([enrolled(Held::Lent)]) {
        // Dropbear's call says of no card.
        let dropbear = "configure_networking &\n";
        assert_eq!(
            found(address, dropbear, 2),
            [Severity::Warning],
            "{address:?}"
        );
        assert_eq!(found(address, dropbear, 1), [], "{address:?}");
    }
    // No card is a VLAN.
    let on_vlan = WaysFacts {
        cards: 1,
        ..facts(vec![server(interface("eth0.5"), StageAddress::None)], 1)
    };
    let with_vlan = format!("{VLAN}configure_networking &\n");
    let found_there = severities(&on_vlan, vec![kernel(true, &with_vlan)]);
    assert_eq!(found_there, [Severity::Warning]);
    for address in lost {
        let other = "ip addr add 10.1.1.10/24 dev eth1\n";
        assert_eq!(found(address, other, 2), [Severity::Wrong], "{address:?}");
    }
}

#[test]
fn lent_address_is_told_once_unless_every_kernel_sets_one() {
    let lent = || server(card(), enrolled(Held::Lent));
    let both = facts(vec![lent(), lent()], 1);
    let found = |kernels| severities(&both, kernels);
    let sets_one = || kernel(true, "ip addr add 192.168.77.20/24 dev eth0\n");
    assert_eq!(found(vec![sets_one()]), []);
    let once = [Severity::Warning];
    assert_eq!(found(vec![sets_one(), kernel(true, "")]), once);
    assert_eq!(found(Vec::new()), once, "no image was read");
}

#[test]
fn one_card_of_a_bridge_with_an_address_is_enough() {
    let bridge = Over::Cards(vec!["eth0".into(), "eth1".into()]);
    let over_bridge = facts(vec![server(bridge, StageAddress::None)], 1);
    let second = "ip addr add 192.168.77.20/24 dev eth1\n";
    assert_eq!(severities(&over_bridge, vec![kernel(true, second)]), []);
}

#[test]
fn a_lost_neighbour_takes_no_key_server_away() {
    let on_vlan = Way {
        over: interface("eth0.5"),
        ..NEIGHBOUR
    };
    let ways = vec![
        server(interface("wg0"), StageAddress::None),
        server(card(), enrolled(Held::Fixed)),
        on_vlan,
        NEIGHBOUR,
    ];
    let found = severities(&facts(ways, 1), vec![kernel(true, "")]);
    assert_eq!(found, [Severity::Warning; 2]);
}

#[test]
fn bond_with_lacp_needs_a_script_and_keeps_its_address() {
    let bond = "ip link add bond0 type bond mode 802.3ad\n";
    let found = |address, script| {
        let ways = facts(vec![server(interface("bond0"), address)], 1);
        severities(&ways, vec![kernel(true, script)])
    };
    assert_eq!(found(enrolled(Held::Fixed), ""), [Severity::Wrong]);
    assert_eq!(found(enrolled(Held::Fixed), bond), []);
    assert_eq!(found(enrolled(Held::Lent), bond), [Severity::Warning]);
    assert_eq!(found(StageAddress::None, bond), [Severity::Wrong]);
}

#[test]
fn one_lost_key_server_of_two_is_a_warning_where_one_is_enough() {
    let ways = || {
        vec![
            server(interface("wg0"), StageAddress::None),
            server(card(), enrolled(Held::Fixed)),
        ]
    };
    let found = |need| severities(&facts(ways(), need), vec![kernel(true, "")]);
    assert_eq!(found(1), [Severity::Warning]);
    assert_eq!(found(2), [Severity::Wrong]);
}

#[test]
fn place_that_does_not_open_has_no_ways_to_judge() {
    let initramfs = InitramfsFacts {
        kernels: vec![kernel(true, "")],
        installed_stage: InstalledStage::ThisBuild,
        scripts: true,
        panic: true,
        hardening: Hardening::default(),
    };
    assert_eq!(judge(None, &initramfs), []);
}
