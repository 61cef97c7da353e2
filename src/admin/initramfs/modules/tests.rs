//! Lists as depmod of Debian 12 writes them for linux 6.1.

use super::*;
use proptest::prelude::*;

const DEP: &str = "\
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko
kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko
kernel/net/core/failover.ko:
kernel/drivers/net/ethernet/intel/e1000/e1000.ko:
kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko: kernel/drivers/ptp/ptp.ko
kernel/drivers/ptp/ptp.ko:
kernel/drivers/usb/storage/usb-storage.ko: kernel/drivers/scsi/scsi_mod.ko
kernel/drivers/scsi/scsi_mod.ko:
kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko
kernel/fs/fat/fat.ko:
kernel/fs/nls/nls_cp437.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/crypto/crc32c_generic.ko:
";
const BUILT_IN: &str = "kernel/net/packet/af_packet.ko
kernel/drivers/input/keyboard/atkbd.ko
";
const ALIASES: &str = "# Aliases extracted from modules themselves.
alias pci:v00008086d000010B5sv*sd*bc*sc*i* e1000
alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e
alias usb:v13FDp3940d0[0-2]*dc*dsc*dp*ic*isc*ip*in* usb_storage
alias virtio:d00000001v* virtio_net
";

fn kernel() -> KernelModules {
    KernelModules::parse(DEP, BUILT_IN, ALIASES.into())
}

fn names(missing: &[Missing]) -> Vec<&str> {
    missing
        .iter()
        .map(|missing| missing.module.as_str())
        .collect()
}

fn image(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| canonical(name)).collect()
}

fn missing(needs: &[Need], modules: &[&str]) -> Vec<String> {
    let missing = kernel().missing(needs, &image(modules));
    names(&missing).into_iter().map(str::to_owned).collect()
}

#[test]
fn module_counts_with_its_dependencies_or_when_built_in() {
    let card = [Need::of("eth0", &["virtio_net"], true)];
    let all = [
        "virtio_net.ko",
        "net_failover.ko.xz",
        "kernel/net/core/failover.ko",
    ];
    assert_eq!(missing(&card, &all), [""; 0]);
    assert_eq!(missing(&card, &all[1..]), ["virtio_net"]);
    assert_eq!(missing(&card, &all[..2]), ["failover"]);
    assert_eq!(missing(&card, &[]), ["virtio_net"]);
    let built_in = [Need::of("a keyboard", &["atkbd"], false)];
    assert_eq!(missing(&built_in, &[]), [""; 0]);
}

#[test]
fn dashes_and_compressed_files_are_the_same_module() {
    for name in [
        "usb-storage",
        "usb_storage.ko",
        "a/b/usb-storage.ko.zst",
        "usb-storage.ko.xz",
    ] {
        assert_eq!(canonical(name), "usb_storage");
    }
}

#[test]
fn ext4_needs_any_checksum_module_unless_it_is_built_in() {
    let needs: Vec<Need> = of_every_server()
        .into_iter()
        .filter(|need| need.if_known)
        .collect();
    assert_eq!(needs.len(), 1);
    assert_eq!(missing(&needs, &["crc32c-intel"]), [""; 0]);
    assert_eq!(missing(&needs, &["crc32c_generic"]), [""; 0]);
    assert_eq!(missing(&needs, &[]), ["crc32c_generic"]);
    let newer = KernelModules::parse("", BUILT_IN, String::new());
    assert_eq!(newer.missing(&needs, &image(&[])), []);
}

#[test]
fn driver_with_another_name_is_found_by_the_modalias() {
    let card = |modalias: &str| {
        [Need {
            modalias: Some(modalias.into()),
            ..Need::of("eth0", &["e1000_old"], true)
        }]
    };
    let known = card("pci:v00008086d000010D3sv000017AAsd00001234bc02sc00i00");
    assert_eq!(missing(&known, &["e1000e", "ptp"]), [""; 0]);
    assert_eq!(missing(&known, &["e1000", "e1000e"]), ["ptp"]);
    let unknown = card("pci:v0000FFFFd00000000sv00000000sd00000000bc02sc00i00");
    assert_eq!(
        missing(&unknown, &["e1000", "e1000e", "ptp"]),
        ["e1000_old"]
    );
}

#[test]
fn missing_module_is_named_once_with_its_most_vital_use() {
    let needs = [
        Need::of("a keyboard", &["usb_storage"], false),
        Need::of("disk sda", &["usb_storage"], true),
    ];
    let missing = kernel().missing(&needs, &image(&[]));
    assert_eq!(names(&missing), ["usb_storage"]);
    assert!(missing[0].vital);
}

#[test]
fn a_kernel_without_a_cards_driver_still_gets_everything_else() {
    let needs = [
        Need::of("network card eth0", &["r8125"], true),
        Need::of("backup sticks", &["usb_storage"], false),
        Need::of("a keyboard", &["atkbd"], false),
        Need {
            modalias: Some("pci:v00008086d000010B5sv000017AAsd00001234bc02sc00i00".into()),
            ..Need::of("network card eth1", &["e1000_old"], true)
        },
        Need {
            if_known: true,
            ..Need::of("a bridge", &["pcieportdrv"], true)
        },
    ];
    let (modules, missing) = kernel().supply(&needs);
    assert_eq!(modules, image(&["usb_storage", "e1000"]));
    assert_eq!(names(&missing), ["r8125"]);
    assert_eq!(missing[0].device, "network card eth0");
}

/// The stage loads them at its prompt, and the hooks bring them in without this
/// command too.
#[test]
fn what_every_server_needs_is_in_hook_and_prompt() {
    let prompt = include_str!("../../../boot/usb.rs");
    let hook: Vec<&str> = crate::admin::boot_files::MODULES.text.lines().collect();
    for need in of_every_server() {
        let any = |has: &dyn Fn(&str) -> bool| need.modules.iter().any(|module| has(module));
        assert!(any(&|module| hook.contains(&module)), "{need:?}");
        let at_prompt = any(&|module| prompt.contains(&format!("c\"{module}\"")));
        assert!(at_prompt || need.vital, "{need:?}");
    }
}

#[test]
fn patterns_are_read_as_depmod_writes_them() {
    for (pattern, text, same) in [
        ("virtio:d00000001v*", "virtio:d00000001v00001AF4", true),
        ("virtio:d00000001v*", "virtio:d00000002v00001AF4", false),
        ("usb:v13FDp3940d0[0-2]*dc*", "usb:v13FDp3940d0100dc00", true),
        (
            "usb:v13FDp3940d0[0-2]*dc*",
            "usb:v13FDp3940d0300dc00",
            false,
        ),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("[ab]", "b", true),
        ("*", "", true),
        ("", "", true),
        ("", "x", false),
        ("[a", "a", false),
    ] {
        let found = matches(pattern.as_bytes(), text.as_bytes());
        assert_eq!(found, same, "{pattern} {text}");
    }
}

proptest! {
    /// A text with any of its stretches replaced by a star matches itself, and
    /// nothing that a disk may say stops the reader.
    #[test]
    fn a_star_stands_for_any_stretch(text in "[a-z0-9:]{0,40}", from in 0usize..40, to in 0usize..40) {
        let (from, to) = (from.min(text.len()), to.min(text.len()));
        let (from, to) = (from.min(to), from.max(to));
        let pattern = format!("{}*{}", &text[..from], &text[to..]);
        prop_assert!(matches(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn hostile_lists_are_read_to_the_end(dep in ".{0,200}", alias in ".{0,200}", name in ".{0,60}") {
        let kernel = KernelModules::parse(&dep, &alias, alias.clone());
        let need = Need { modalias: Some(name.clone()), ..Need::of("x", &[&name], true) };
        let needs = [need];
        kernel.missing(&needs, &BTreeSet::new());
        kernel.supply(&needs);
        matches(alias.as_bytes(), name.as_bytes());
    }

    /// With all modules of the kernel at hand nothing of it is missing, and a
    /// module more never makes one missing.
    #[test]
    fn more_modules_never_make_one_missing(mask in 0u32..8192) {
        let all: Vec<String> = DEP.lines().map(|line| canonical(line.split_once(':').unwrap().0)).collect();
        let needs: Vec<Need> = all.iter().map(|module| Need::of("x", &[module], true)).collect();
        let some: BTreeSet<String> = all.iter().enumerate()
            .filter(|(at, _)| mask & (1 << at) != 0).map(|(_, name)| name.clone()).collect();
        let before = kernel().missing(&needs, &some).len();
        let mut more = some;
        for module in &all {
            more.insert(module.clone());
            prop_assert!(kernel().missing(&needs, &more).len() <= before);
        }
        prop_assert!(kernel().missing(&needs, &more).is_empty());
    }
}
