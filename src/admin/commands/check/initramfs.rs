//! The installed initramfs: does it hold this boot stage, and what the stage
//! needs on this machine? Pure.

mod hardening;

use super::check_result::{CheckResult, Severity};
use crate::admin::initramfs::{Image, InitramfsFacts, InstalledCopy, Kernel, Missing, NoImage};
use crate::admin::installed_files::InstalledStage;

/// What to do where an image lacks something.
pub const INSTALL: &str = "stayput install";

/// Judges the image of each kernel. Pure.
pub fn judge(facts: &InitramfsFacts) -> Vec<CheckResult> {
    let mut results: Vec<CheckResult> = facts
        .kernels
        .iter()
        .flat_map(|kernel| about(kernel, facts.panic))
        .collect();
    if facts.kernels.is_empty() {
        results.push(CheckResult::new(
            "initramfs",
            Severity::Unknown,
            "No kernel was found in /boot.",
            "Is /boot mounted? stayput works with kernels and initramfs of Debian's packages.",
        ));
    }
    if facts.installed_stage != InstalledStage::ThisBuild {
        let what = match facts.installed_stage {
            InstalledStage::Missing => "The boot stage is not installed.",
            _ => "The installed boot stage is of another build than this command.",
        };
        results.push(CheckResult::new(
            "stage",
            Severity::Wrong,
            what,
            "With the stayput-boot that was built with this command beside it: stayput install",
        ));
    }
    if !facts.scripts {
        results.push(CheckResult::new(
            "hook",
            Severity::Warning,
            "What puts the boot stage into the initramfs is not as installed: the next update of \
             the kernel may leave it out.",
            INSTALL,
        ));
    }
    results.extend(hardening::judge(&facts.hardening));
    results
}

fn about(kernel: &Kernel, panic: bool) -> Vec<CheckResult> {
    let version = &kernel.version;
    // An older kernel starts when somebody chooses it.
    let wrong = match kernel.is_next {
        true => Severity::Wrong,
        false => Severity::Warning,
    };
    let image = match &kernel.image {
        Ok(image) => image,
        Err(NoImage::Absent) => {
            let what = format!("The kernel {version} has no initramfs: the stage does not run.");
            return vec![CheckResult::new("initramfs", wrong, what, INSTALL)];
        }
        Err(NoImage::Unreadable(why)) => {
            let what = format!("The initramfs of {version} could not be looked into: {why}");
            let severity = wrong.min(Severity::Unknown);
            return vec![CheckResult::new(
                "initramfs",
                severity,
                what,
                "See what is said there.",
            )];
        }
    };
    let mut results = Vec::new();
    let mut add = |name, what: &str| {
        let what = format!("The initramfs of {version} {what}");
        results.push(CheckResult::new(name, wrong, what, INSTALL));
    };
    match image.stage {
        InstalledCopy::Same => {}
        InstalledCopy::Other => add(
            "stage",
            "holds another boot stage than the one installed here.",
        ),
        InstalledCopy::Missing => add("stage", "has no boot stage: nothing is released."),
    }
    match image.vault_conf {
        InstalledCopy::Same => {}
        InstalledCopy::Other => add(
            "vault_conf",
            "names another vault than /etc/stayput/vault.conf.",
        ),
        InstalledCopy::Missing => add("vault_conf", "does not say where the vault is."),
    }
    match image.script {
        InstalledCopy::Same => {}
        InstalledCopy::Other => add("script", "has another script than this version's."),
        InstalledCopy::Missing => add("script", "has no script that starts the stage."),
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
    results.extend(warnings(version, image, panic));
    if results.is_empty() {
        let what = format!("The initramfs of {version} holds this boot stage and its modules.");
        results.push(CheckResult::fine("initramfs", what));
    }
    results
}

fn warnings(version: &str, image: &Image, panic: bool) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let mut add = |name, what: String, next: &str| {
        let what = format!("The initramfs of {version} {what}");
        results.push(CheckResult::new(name, Severity::Warning, what, next));
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
    if image.script != InstalledCopy::Same && !panic {
        add(
            "panic",
            "offers a shell to whoever stands there when a boot fails.".into(),
            "stayput install, or panic=30 on the kernel's command line",
        );
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::{Hardening, ImageNetwork};

    #[test]
    fn a_stage_of_another_build_than_the_command_is_wrong() {
        let found = |installed_stage| {
            let facts = InitramfsFacts {
                kernels: vec![Kernel {
                    version: "6.1.0-56-amd64".into(),
                    is_next: true,
                    image: Ok(good()),
                }],
                installed_stage,
                scripts: true,
                panic: true,
                hardening: Hardening::default(),
            };
            let mut results = judge(&facts).into_iter();
            results.any(|found| found.name == "stage" && found.severity == Severity::Wrong)
        };
        // The image holds exactly what is installed.
        assert!(found(InstalledStage::Other) && found(InstalledStage::Missing));
        assert!(!found(InstalledStage::ThisBuild));
    }

    fn good() -> Image {
        Image {
            stage: InstalledCopy::Same,
            vault_conf: InstalledCopy::Same,
            script: InstalledCopy::Same,
            before: Some(Vec::new()),
            missing: Vec::new(),
            network: ImageNetwork::default(),
        }
    }

    fn found(image: Result<Image, NoImage>, is_next: bool) -> Vec<(&'static str, Severity)> {
        let facts = InitramfsFacts {
            kernels: vec![Kernel {
                version: "6.1.0-56-amd64".into(),
                is_next,
                image,
            }],
            installed_stage: InstalledStage::ThisBuild,
            scripts: true,
            panic: true,
            hardening: Hardening::default(),
        };
        let results = judge(&facts);
        let results = results.iter();
        results.map(|found| (found.name, found.severity)).collect()
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
        assert_eq!(found(Ok(good()), true), [("initramfs", Severity::Fine)]);
        assert_eq!(found(Ok(good()), false), [("initramfs", Severity::Fine)]);
    }

    #[test]
    fn every_file_that_is_not_this_systems_own_is_wrong_and_named() {
        const COPIES: [InstalledCopy; 3] = [
            InstalledCopy::Same,
            InstalledCopy::Other,
            InstalledCopy::Missing,
        ];
        for stage in COPIES {
            for vault_conf in COPIES {
                for script in COPIES {
                    for before in [None, Some(Vec::new())] {
                        let image = Image {
                            stage,
                            vault_conf,
                            script,
                            before: before.clone(),
                            ..good()
                        };
                        let found = found(Ok(image), true);
                        for (name, is_good) in [
                            ("stage", stage == InstalledCopy::Same),
                            ("vault_conf", vault_conf == InstalledCopy::Same),
                            ("script", script == InstalledCopy::Same),
                            ("order", before.is_some()),
                        ] {
                            let told = found.contains(&(name, Severity::Wrong));
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
            stage: InstalledCopy::Missing,
            missing: vec![lacking("virtio_net", true)],
            ..good()
        };
        let told = found(Ok(image), false);
        let warned = [("stage", Severity::Warning), ("modules", Severity::Warning)];
        assert_eq!(told, warned);
        let told = found(Err(NoImage::Absent), false);
        assert_eq!(told, [("initramfs", Severity::Warning)]);
        let told = found(Err(NoImage::Absent), true);
        assert_eq!(told, [("initramfs", Severity::Wrong)]);
        let unreadable = NoImage::Unreadable("cpio failed".into());
        assert_eq!(
            found(Err(unreadable), true),
            [("initramfs", Severity::Unknown)]
        );
    }

    #[test]
    fn missing_card_module_is_wrong_and_keyboard_module_a_warning() {
        for (vital, severity) in [(true, Severity::Wrong), (false, Severity::Warning)] {
            let image = Image {
                missing: vec![lacking("virtio_net", vital)],
                ..good()
            };
            assert_eq!(found(Ok(image), true), [("modules", severity)]);
        }
    }

    #[test]
    fn what_mounts_before_the_stage_is_named() {
        let image = Image {
            before: Some(vec!["resume".into()]),
            ..good()
        };
        assert_eq!(found(Ok(image), true), [("order", Severity::Warning)]);
    }

    #[test]
    fn a_boot_without_the_stages_script_needs_a_panic_of_its_own() {
        for (script, panic, told) in [
            (InstalledCopy::Same, false, false),
            (InstalledCopy::Other, true, false),
            (InstalledCopy::Other, false, true),
            (InstalledCopy::Missing, false, true),
        ] {
            let image = Image { script, ..good() };
            let warned = warnings("6.1", &image, panic);
            assert_eq!(warned.iter().any(|found| found.name == "panic"), told);
        }
    }

    #[test]
    fn no_kernel_is_unknown_and_no_scripts_is_a_warning() {
        let facts = InitramfsFacts {
            kernels: Vec::new(),
            installed_stage: InstalledStage::ThisBuild,
            scripts: false,
            panic: false,
            hardening: Hardening::default(),
        };
        let results = judge(&facts);
        assert_eq!(results[0].severity, Severity::Unknown);
        assert_eq!(results[1].severity, Severity::Warning);
        assert_eq!(results[1].name, "hook");
    }
}
