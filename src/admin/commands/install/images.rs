//! The images that a change makes anew: by which generator, and what each kernel has
//! afterwards, also where one of them failed.

use crate::admin::initramfs::{
    self, Found, Generator, InstalledCopy, Kernel, Missing, NoImage, holds_the_stage,
};
use crate::admin::problem::{Problem, Result};
use crate::vault::VaultConf;

/// Whether the images were made anew: `update-initramfs` succeeds without a word of it
/// where /boot is read-only, or where its owner has switched it off.
pub fn nothing_is_left(with_stage: &[String]) -> Result<()> {
    if with_stage.is_empty() {
        return Ok(());
    }
    Err(Problem::failed(
        format!(
            "The boot stage may still be in the initramfs of these kernels: {}.",
            with_stage.join(", ")
        ),
        "Is /boot writable? See /etc/initramfs-tools/update-initramfs.conf too. Then run the \
         command again.",
    ))
}

/// What makes this system's images, where the boot stage can run in them. Pure.
pub fn generator(found: Found) -> Result<Generator> {
    let (what, next) = match found {
        Found::Generator(Generator::Dracut { systemd: false }) => (
            "This system's initramfs was made by dracut without systemd in it: the boot stage \
             cannot run there."
                .into(),
            "On Debian: apt-get install systemd-sysv, then dracut --force, then the command again.",
        ),
        Found::Generator(generator) => return Ok(generator),
        Found::Gone(generator) => (
            format!(
                "The newest initramfs in /boot was made by {}, which is not installed any more.",
                generator.name()
            ),
            "Make the initramfs with what this system has now (on Debian: dracut --force, or \
             update-initramfs -u), then run the command again.",
        ),
        Found::NotKnown(path, None) => (
            format!(
                "{} was made neither by initramfs-tools nor by dracut.",
                path.display()
            ),
            "stayput works with these two.",
        ),
        Found::NotKnown(path, Some(why)) => (
            format!("{} cannot be read: {why}.", path.display()),
            "Have it made anew (on Debian: update-initramfs -u, or dracut --force), then run the \
             command again.",
        ),
        Found::NoImage => (
            "There is no initramfs in /boot.".into(),
            "Is /boot mounted? On Debian: apt-get install initramfs-tools",
        ),
    };
    Err(Problem::refused(
        format!("{what} Nothing was changed."),
        next,
    ))
}

/// Makes the initramfs of every kernel. `place` is what vault.conf says, where they are
/// to hold the stage.
pub fn make_initramfs(generator: Generator, place: Option<&VaultConf>) -> Result<()> {
    println!("Making the initramfs; this takes a minute or so ...");
    initramfs::make(generator, place).map_err(|what| {
        let kernels = place.map_or_else(Vec::new, initramfs::kernels);
        Problem::failed(
            format!("{what} {}", standing(&kernels)),
            "Mend what is said above, then run the command again. Until then each kernel starts \
             with what it has now.",
        )
    })
}

/// Names the kernels that have no image, those whose image does not run the stage, or does
/// not run it before the disks are touched, and those whose image lacks what the stage needs
/// to open. Pure.
pub fn without_the_stage(kernels: &[Kernel]) -> Option<String> {
    if kernels.is_empty() {
        return Some("No kernel was found in /boot.".into());
    }
    let is_without = |kernel: &&Kernel| !kernel.image.as_ref().is_ok_and(holds_the_stage);
    let has_no_image = |kernel: &&Kernel| matches!(kernel.image, Err(NoImage::Absent));
    let (no_image, no_stage): (Vec<&Kernel>, Vec<&Kernel>) =
        kernels.iter().filter(is_without).partition(has_no_image);
    let mut said = Vec::new();
    if !no_stage.is_empty() {
        said.push(format!(
            "The initramfs was made, and does not run the boot stage before the disks are \
             touched: {}.",
            versions(&no_stage)
        ));
    }
    if !no_image.is_empty() {
        said.push(format!(
            "These kernels have no initramfs, and start without the boot stage if they start at \
             all: {}.",
            versions(&no_image)
        ));
    }
    let vital = lacking(kernels, true);
    if !vital.is_empty() {
        said.push(format!(
            "The boot stage cannot open there: {}.",
            vital.join(", ")
        ));
    }
    (!said.is_empty()).then(|| {
        said.push(standing(kernels));
        said.join(" ")
    })
}

fn versions(kernels: &[&Kernel]) -> String {
    let versions: Vec<&str> = kernels
        .iter()
        .map(|kernel| kernel.version.as_str())
        .collect();
    versions.join(", ")
}

/// What the stage can do without, and what may come before it. Pure.
pub fn warnings(kernels: &[Kernel]) -> Vec<String> {
    let modules = lacking(kernels, false).into_iter();
    let mut lines: Vec<String> = modules.map(|lack| format!("Warning: {lack}.")).collect();
    for kernel in kernels {
        let images = kernel.image.iter();
        let scripts = images.flat_map(|image| image.before.iter().flatten());
        lines.extend(scripts.map(|script| {
            format!(
                "Warning: the initramfs of {} runs {script} before the boot stage; it seems to \
                 mount or resume something.",
                kernel.version
            )
        }));
    }
    lines
}

/// The modules that images lack: those without which the stage does not open, or the others.
fn lacking(kernels: &[Kernel], vital: bool) -> Vec<String> {
    let of = |kernel: &Kernel| {
        let missing = kernel.image.iter().flat_map(|image| &image.missing);
        let missing = missing.filter(|missing| missing.vital == vital);
        let lines = missing.map(|Missing { module, device, .. }| {
            format!(
                "the initramfs of {} lacks the kernel module {module} ({device})",
                kernel.version
            )
        });
        lines.collect::<Vec<_>>()
    };
    kernels.iter().flat_map(of).collect()
}

/// What each kernel has after a failure, which may have come before, between or
/// behind them. Pure.
fn standing(kernels: &[Kernel]) -> String {
    const STANDINGS: [&str; 5] = [
        "With the installed boot stage",
        "With another boot stage",
        "Without a boot stage",
        "Without an initramfs",
        "Not known",
    ];
    let of = |kernel: &Kernel| match &kernel.image {
        Ok(image) => match image.stage {
            InstalledCopy::Same => 0,
            InstalledCopy::Other => 1,
            InstalledCopy::Missing => 2,
        },
        Err(NoImage::Absent) => 3,
        Err(NoImage::Unreadable(_)) => 4,
    };
    let named = STANDINGS.iter().enumerate().filter_map(|(at, standing)| {
        let versions = kernels.iter().filter(|kernel| of(kernel) == at);
        let versions: Vec<&str> = versions.map(|kernel| kernel.version.as_str()).collect();
        (!versions.is_empty()).then(|| format!("{standing}: {}.", versions.join(", ")))
    });
    let named: Vec<String> = named.collect();
    match named.is_empty() {
        true => "What each kernel has is not known.".into(),
        false => named.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::{Image, ImageNetwork};

    fn kernel(version: &str, stage: std::result::Result<InstalledCopy, NoImage>) -> Kernel {
        Kernel {
            version: version.into(),
            is_next: false,
            image: stage.map(|stage| Image {
                stage,
                vault_conf: InstalledCopy::Same,
                script: InstalledCopy::Same,
                before: None,
                missing: Vec::new(),
                network: ImageNetwork::default(),
            }),
        }
    }

    #[test]
    fn an_image_without_the_stage_is_not_called_done() {
        let good = || kernel("6.12", Ok(InstalledCopy::Same));
        let run = |mut kernel: Kernel, change: fn(&mut Image)| {
            if let Ok(image) = &mut kernel.image {
                image.before = Some(Vec::new());
                change(image);
            }
            kernel
        };
        assert_eq!(without_the_stage(&[run(good(), |_| ())]), None);
        for change in [
            (|image| image.stage = InstalledCopy::Missing) as fn(&mut Image),
            |image| image.vault_conf = InstalledCopy::Other,
            |image| image.script = InstalledCopy::Missing,
            |image| image.before = None,
        ] {
            let kernels = [
                run(kernel("6.11", Ok(InstalledCopy::Same)), |_| ()),
                run(good(), change),
            ];
            let told = without_the_stage(&kernels).unwrap();
            assert!(told.contains("touched: 6.12."), "{told}");
        }
        let lacks = |vital| {
            let mut kernel = run(good(), |_| ());
            if let Ok(image) = &mut kernel.image {
                image.missing.push(Missing {
                    module: "virtio_net".into(),
                    device: "the network card eth0".into(),
                    vital,
                });
            }
            [kernel]
        };
        let told = without_the_stage(&lacks(true)).unwrap();
        let what = "the initramfs of 6.12 lacks the kernel module virtio_net";
        assert!(
            told.contains(&format!("cannot open there: {what}")),
            "{told}"
        );
        assert_eq!(without_the_stage(&lacks(false)), None);
        assert!(warnings(&lacks(false))[0].contains(what));
        assert!(warnings(&lacks(true)).is_empty());
        let early = run(good(), |image| {
            image.before = Some(vec!["local-top/raid".into()])
        });
        assert!(warnings(&[early])[0].contains("6.12 runs local-top/raid before"));
        // Nothing was made for one without an image.
        let told = without_the_stage(&[kernel("6.9", Err(NoImage::Absent))]).unwrap();
        assert!(
            told.contains("no initramfs") && !told.contains("was made"),
            "{told}"
        );
        assert!(without_the_stage(&[]).is_some());
    }

    #[test]
    fn an_image_that_was_not_made_anew_is_told() {
        assert!(nothing_is_left(&[]).is_ok());
        let told = nothing_is_left(&["6.12".to_owned()]).unwrap_err().what;
        assert!(told.contains("these kernels: 6.12."), "{told}");
    }

    #[test]
    fn an_initramfs_of_another_kind_is_refused_with_words() {
        let told = |found| generator(found).unwrap_err().what;
        assert!(
            told(Found::Generator(Generator::Dracut { systemd: false }))
                .contains("without systemd")
        );
        assert!(told(Found::NotKnown("image".into(), None)).contains("neither by"));
        let torn = Found::NotKnown("image".into(), Some("it is torn".into()));
        assert!(told(torn).contains("cannot be read: it is torn."));
        let gone = Found::Gone(Generator::InitramfsTools);
        assert!(told(gone).contains("not installed any more"));
        assert!(told(Found::NoImage).contains("no initramfs"));
        for known in [
            Generator::InitramfsTools,
            Generator::Dracut { systemd: true },
        ] {
            assert_eq!(generator(Found::Generator(known)).ok(), Some(known));
        }
    }

    #[test]
    fn failure_at_one_kernel_is_told_of_each_kernel() {
        let kernels = [
            kernel("6.12", Ok(InstalledCopy::Same)),
            kernel("6.11", Ok(InstalledCopy::Other)),
            kernel("6.10", Ok(InstalledCopy::Same)),
            kernel("6.9", Err(NoImage::Absent)),
        ];
        assert_eq!(
            standing(&kernels),
            "With the installed boot stage: 6.12, 6.10. With another boot stage: 6.11. \
             Without an initramfs: 6.9."
        );
        let unread = [
            kernel("6.12", Err(NoImage::Unreadable("no room".into()))),
            kernel("6.11", Ok(InstalledCopy::Missing)),
        ];
        assert_eq!(
            standing(&unread),
            "Without a boot stage: 6.11. Not known: 6.12."
        );
        assert!(standing(&[]).contains("not known"));
    }
}
