//! What initramfs-tools runs, in its order. Pure.

/// The file in a folder of scripts that says in which order they run. Each
/// script is a line: `/scripts/init-premount/stayput "$@"`.
pub const ORDER: &str = "ORDER";

/// The scripts that an ORDER file runs, as paths below the initramfs' root.
pub fn scripts(order: &str) -> Vec<String> {
    let calls = order.lines().filter_map(|line| {
        let path = line.split_whitespace().next()?;
        path.strip_prefix('/')
            .filter(|path| path.starts_with("scripts/"))
    });
    calls.map(str::to_owned).collect()
}

/// The scripts that run before `script`; `None` where it does not run.
pub fn before(order: &str, script: &str) -> Option<Vec<String>> {
    let mut scripts = scripts(order);
    let at = scripts.iter().position(|known| known == script)?;
    scripts.truncate(at);
    Some(scripts)
}

/// Whether a script seems to touch disks. Before the stage that is harmful: a
/// filesystem mounted before a resume is damaged, a system resumed before the
/// release is open.
pub fn touches_disks(script: &str) -> bool {
    const PROGRAMS: [&str; 9] = [
        "mount",
        "resume",
        "cryptsetup",
        "vgchange",
        "lvm",
        "mdadm",
        "zpool",
        "mountroot",
        "btrfs",
    ];
    let lines = script.lines().map(str::trim);
    let mut commands = lines
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || ";|&(){}`$\"'".contains(c)));
    commands.any(|word| {
        let program = word.rsplit('/').next().unwrap_or(word);
        PROGRAMS.contains(&program)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As mkinitramfs of Debian 12 writes it.
    const ORDER: &str = "/scripts/init-premount/plymouth \"$@\"\n\
        [ -e /conf/param.conf ] && . /conf/param.conf\n\
        /scripts/init-premount/stayput \"$@\"\n\
        [ -e /conf/param.conf ] && . /conf/param.conf\n\
        /scripts/init-premount/late \"$@\"\n\
        [ -e /conf/param.conf ] && . /conf/param.conf\n";
    const STAYPUT: &str = "scripts/init-premount/stayput";

    #[test]
    fn what_runs_before_the_stage_is_read_from_the_order() {
        assert_eq!(
            before(ORDER, STAYPUT).unwrap(),
            ["scripts/init-premount/plymouth"]
        );
        assert_eq!(before("", STAYPUT), None);
        let without: Vec<&str> = ORDER
            .lines()
            .filter(|line| !line.contains("stayput"))
            .collect();
        assert_eq!(before(&without.join("\n"), STAYPUT), None);
    }

    #[test]
    fn script_that_mounts_or_resumes_is_recognised() {
        for script in [
            "/bin/mount -t ext4 /dev/sda1 /mnt",
            "  if resume \"$DEVICE\"; then",
            "x=$(vgchange -ay)",
            "/sbin/cryptsetup luksOpen /dev/sda2 root",
        ] {
            assert!(touches_disks(script), "{script}");
        }
        for script in [
            "# mount nothing here",
            "/usr/bin/plymouth show-splash",
            "mkdir -p /run/plymouth; udevadm settle",
            "resume=\"/dev/vda2\"",
        ] {
            assert!(!touches_disks(script), "{script}");
        }
    }

    #[test]
    fn the_stages_own_script_waits_for_nothing_that_touches_disks() {
        let script = include_str!("../../../initramfs-hooks/scripts/init-premount/stayput");
        assert!(!touches_disks(script));
    }
}
