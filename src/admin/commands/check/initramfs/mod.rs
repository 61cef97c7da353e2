//! The installed initramfs: does it hold this boot stage, and what the stage
//! needs on this machine? Pure; [`look`] gathers.

mod hardware;
mod inspect;
mod kernels;
mod modules;
mod order;

use super::outcome::{Finding, Verdict};
use modules::Missing;

pub use inspect::look;

/// What stands in the initramfs in place of a file of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    Same,
    Other,
    Missing,
}

/// One initramfs, unpacked.
#[derive(Clone, Debug)]
pub struct Image {
    pub stage: Copy,
    /// vault.conf: the same vault.
    pub place_file: Copy,
    pub script: Copy,
    /// Scripts that run before the stage and mount or resume something; `None`
    /// where initramfs-tools does not run the stage at all.
    pub before: Option<Vec<String>>,
    pub missing: Vec<Missing>,
}

/// A kernel that is installed, and its initramfs.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub version: String,
    /// The running or the newest one: those are what starts next.
    pub is_next: bool,
    /// In words, why it could not be looked at.
    pub image: Result<Image, NoImage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoImage {
    /// There is no such file.
    Absent,
    /// In words.
    Unreadable(String),
}

pub struct InitramfsFacts {
    pub kernels: Vec<Kernel>,
    /// The scripts from which the next initramfs is made are in place.
    pub scripts: bool,
    /// The kernel's command line has a `panic=` of its own.
    pub panic: bool,
}

const INSTALL: &str = "stayput install";

pub fn judge(facts: &InitramfsFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts
        .kernels
        .iter()
        .flat_map(|kernel| about(kernel, facts.panic))
        .collect();
    if facts.kernels.is_empty() {
        findings.push(Finding::new(
            "initramfs",
            Verdict::Unknown,
            "No kernel was found in /boot.",
            "Is /boot mounted? stayput works with kernels and initramfs of Debian's packages.",
        ));
    }
    if !facts.scripts {
        findings.push(Finding::new(
            "hook",
            Verdict::Warning,
            "What puts the boot stage into the initramfs is not as installed: the next update of \
             the kernel may leave it out.",
            INSTALL,
        ));
    }
    findings
}

fn about(kernel: &Kernel, panic: bool) -> Vec<Finding> {
    let version = &kernel.version;
    // An older kernel starts when somebody chooses it.
    let wrong = match kernel.is_next {
        true => Verdict::Wrong,
        false => Verdict::Warning,
    };
    let image = match &kernel.image {
        Ok(image) => image,
        Err(NoImage::Absent) => {
            let what = format!("The kernel {version} has no initramfs: the stage does not run.");
            return vec![Finding::new("initramfs", wrong, what, INSTALL)];
        }
        Err(NoImage::Unreadable(why)) => {
            let what = format!("The initramfs of {version} could not be looked into: {why}");
            let verdict = wrong.min(Verdict::Unknown);
            return vec![Finding::new(
                "initramfs",
                verdict,
                what,
                "See what is said there.",
            )];
        }
    };
    let mut findings = Vec::new();
    let mut add = |name, what: &str| {
        let what = format!("The initramfs of {version} {what}");
        findings.push(Finding::new(name, wrong, what, INSTALL));
    };
    match image.stage {
        Copy::Same => {}
        Copy::Other => add(
            "stage",
            "holds another boot stage than the one installed here.",
        ),
        Copy::Missing => add("stage", "has no boot stage: nothing is released."),
    }
    match image.place_file {
        Copy::Same => {}
        Copy::Other => add(
            "vault-conf",
            "names another vault than /etc/stayput/vault.conf.",
        ),
        Copy::Missing => add("vault-conf", "does not say where the vault is."),
    }
    match image.script {
        Copy::Same => {}
        Copy::Other => add("script", "has another script than this version's."),
        Copy::Missing => add("script", "has no script that starts the stage."),
    }
    if image.before.is_none() {
        add(
            "order",
            "does not run the boot stage before the disks are mounted.",
        );
    }
    for Missing { module, device, .. } in image.missing.iter().filter(|missing| missing.vital) {
        add(
            "modules",
            &format!("lacks the kernel module {module} ({device})."),
        );
    }
    findings.extend(warnings(version, image, panic));
    if findings.is_empty() {
        let what = format!("The initramfs of {version} holds this boot stage and its modules.");
        findings.push(Finding::fine("initramfs", what));
    }
    findings
}

fn warnings(version: &str, image: &Image, panic: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |name, what: String, next: &str| {
        let what = format!("The initramfs of {version} {what}");
        findings.push(Finding::new(name, Verdict::Warning, what, next));
    };
    for script in image.before.iter().flatten() {
        add(
            "order",
            format!("runs {script} before the stage; it seems to mount or resume something."),
            "The stage has to come first: see PREREQ in that script.",
        );
    }
    let missing = image.missing.iter().filter(|missing| !missing.vital);
    for Missing { module, device, .. } in missing {
        add(
            "modules",
            format!("lacks the kernel module {module} ({device})."),
            "Install the complete kernel package, then: stayput install",
        );
    }
    // The stage's script sets it where nobody else did.
    if image.script != Copy::Same && !panic {
        add(
            "panic",
            "offers a shell to whoever stands there when a boot fails.".into(),
            "stayput install, or panic=30 on the kernel's command line",
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Image {
        Image {
            stage: Copy::Same,
            place_file: Copy::Same,
            script: Copy::Same,
            before: Some(Vec::new()),
            missing: Vec::new(),
        }
    }

    fn found(image: Result<Image, NoImage>, is_next: bool) -> Vec<(&'static str, Verdict)> {
        let facts = InitramfsFacts {
            kernels: vec![Kernel {
                version: "6.1.0-56-amd64".into(),
                is_next,
                image,
            }],
            scripts: true,
            panic: true,
        };
        let findings = judge(&facts);
        let findings = findings.iter();
        findings.map(|found| (found.name, found.verdict)).collect()
    }

    fn lacking(module: &str, vital: bool) -> Missing {
        Missing {
            module: module.into(),
            device: "eth0".into(),
            vital,
        }
    }

    #[test]
    fn an_initramfs_as_installed_is_fine() {
        assert_eq!(found(Ok(good()), true), [("initramfs", Verdict::Fine)]);
        assert_eq!(found(Ok(good()), false), [("initramfs", Verdict::Fine)]);
    }

    #[test]
    fn every_file_that_is_not_this_systems_own_is_wrong_and_named() {
        const COPIES: [Copy; 3] = [Copy::Same, Copy::Other, Copy::Missing];
        for stage in COPIES {
            for place_file in COPIES {
                for script in COPIES {
                    for before in [None, Some(Vec::new())] {
                        let image = Image {
                            stage,
                            place_file,
                            script,
                            before: before.clone(),
                            ..good()
                        };
                        let found = found(Ok(image), true);
                        for (name, is_good) in [
                            ("stage", stage == Copy::Same),
                            ("vault-conf", place_file == Copy::Same),
                            ("script", script == Copy::Same),
                            ("order", before.is_some()),
                        ] {
                            let told = found.contains(&(name, Verdict::Wrong));
                            assert_eq!(told, !is_good, "{name}: {found:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_in_a_kernel_that_nobody_chooses_is_a_warning() {
        let image = Image {
            stage: Copy::Missing,
            missing: vec![lacking("virtio_net", true)],
            ..good()
        };
        let told = found(Ok(image), false);
        let warned = [("stage", Verdict::Warning), ("modules", Verdict::Warning)];
        assert_eq!(told, warned);
        let told = found(Err(NoImage::Absent), false);
        assert_eq!(told, [("initramfs", Verdict::Warning)]);
        let told = found(Err(NoImage::Absent), true);
        assert_eq!(told, [("initramfs", Verdict::Wrong)]);
        let unreadable = NoImage::Unreadable("cpio failed".into());
        assert_eq!(
            found(Err(unreadable), true),
            [("initramfs", Verdict::Unknown)]
        );
    }

    #[test]
    fn the_network_cards_module_is_wrong_to_lack_and_a_keyboards_a_warning() {
        for (vital, verdict) in [(true, Verdict::Wrong), (false, Verdict::Warning)] {
            let image = Image {
                missing: vec![lacking("virtio_net", vital)],
                ..good()
            };
            assert_eq!(found(Ok(image), true), [("modules", verdict)]);
        }
    }

    #[test]
    fn what_mounts_before_the_stage_is_named() {
        let image = Image {
            before: Some(vec!["resume".into()]),
            ..good()
        };
        assert_eq!(found(Ok(image), true), [("order", Verdict::Warning)]);
    }

    #[test]
    fn a_boot_without_the_stages_script_needs_a_panic_of_its_own() {
        for (script, panic, told) in [
            (Copy::Same, false, false),
            (Copy::Other, true, false),
            (Copy::Other, false, true),
            (Copy::Missing, false, true),
        ] {
            let image = Image { script, ..good() };
            let warned = warnings("6.1", &image, panic);
            assert_eq!(warned.iter().any(|found| found.name == "panic"), told);
        }
    }

    #[test]
    fn without_a_kernel_nothing_is_known_and_without_scripts_one_is_warned() {
        let facts = InitramfsFacts {
            kernels: Vec::new(),
            scripts: false,
            panic: false,
        };
        let findings = judge(&facts);
        assert_eq!(findings[0].verdict, Verdict::Unknown);
        assert_eq!(findings[1].verdict, Verdict::Warning);
        assert_eq!(findings[1].name, "hook");
    }
}
