//! What hardening guides advise against USB sticks. Pure.

use super::modules::{Need, canonical};

/// How this system is closed to what is plugged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardening {
    /// Modules for sticks and keyboards that modprobe(8) is told not to load.
    pub modules: Vec<String>,
    /// `usbcore.authorized_default=0` on the kernel's command line, or 2: then what is
    /// plugged in from outside may not be used.
    pub usb_unauthorised: bool,
}

impl Hardening {
    /// From what `modprobe --showconfig` prints, for what these `needs` are for,
    /// and from the kernel's command line.
    pub fn of(config: &str, needs: &[Need], command_line: &str) -> Self {
        let kept_out = config.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            match (words.next()?, words.next()?, words.next()) {
                ("install", module, Some(command)) if does_nothing(command) => Some(module),
                ("blacklist", module, None) => Some(module),
                _ => None,
            }
        });
        let is_needed = |module: &String| needs.iter().any(|need| need.modules.contains(module));
        let mut modules: Vec<String> = kept_out.map(canonical).filter(is_needed).collect();
        modules.sort_unstable();
        modules.dedup();
        let mut words = command_line.split_whitespace();
        Self {
            modules,
            usb_unauthorised: words.any(|word| {
                let default = word.strip_prefix("usbcore.authorized_default=");
                matches!(default, Some("0" | "2"))
            }),
        }
    }
}

fn does_nothing(command: &str) -> bool {
    let name = command.rsplit('/').next().unwrap_or(command);
    matches!(name, "true" | "false" | ":")
}

#[cfg(test)]
mod tests {
    use super::super::modules::of_every_server;
    use super::*;

    #[test]
    fn what_keeps_modules_for_sticks_out_is_read() {
        let config = "blacklist uas\nblacklist usb_storage\ninstall vfat /bin/true\n\
                      install usb-storage /bin/false\ninstall cramfs /bin/true\n\
                      install ext4 /sbin/modprobe --ignore-install ext4\n\
                      alias usb:v0781p* usb_storage\noptions usbhid quirks=1\n";
        let needs = of_every_server();
        for default in ["0", "2"] {
            let words = format!("quiet usbcore.authorized_default={default}");
            let found = Hardening::of(config, &needs, &words);
            assert_eq!(found.modules, ["usb_storage", "vfat"]);
            assert!(found.usb_unauthorised, "{default}");
        }
    }

    #[test]
    fn a_system_as_installed_closes_nothing() {
        let found = Hardening::of(
            "blacklist pcspkr\noptions snd index=0\n",
            &of_every_server(),
            "quiet usbcore.authorized_default=1",
        );
        assert_eq!(found, Hardening::default());
    }
}
