//! How the initramfs runs the boot stage: its shell scripts, with another stage, in a
//! folder that stands for the root of the initramfs.

use std::fs;
use std::path::Path;
use std::process::Command;

const RUN_STAGE: &str = include_str!("../../initramfs-hooks/run-stage");
const SCRIPT: &str = include_str!("../../initramfs-hooks/scripts/init-premount/stayput");

/// What the scripts touch; the rest of /proc and /dev is the machine's own.
const TOUCHED: [&str; 10] = [
    "/proc/sys/",
    "/proc/vmcore",
    "/dev/console",
    "/dev/kmsg",
    "/sys/",
    "/run/",
    "/usr/lib/stayput/",
    "/etc/stayput/",
    "/scripts/",
    "/conf",
];

/// An initramfs in which a stage runs that does what the test says.
struct Initramfs(tempfile::TempDir);

impl Initramfs {
    /// `stage` is shell; $round counts its starts. It has a card that is up, and one that
    /// is down.
    fn with_stage(stage: &str) -> Self {
        let initramfs = Self(tempfile::tempdir().unwrap());
        let root = initramfs.root();
        initramfs.put("/proc/sys/kernel/printk", "4\t4\t1\t7\n");
        initramfs.put("/dev/console", "");
        initramfs.put("/etc/stayput/vault.conf", "vault\n");
        initramfs.put_card("eth0", 2, "0x1003");
        initramfs.put_card("eth1", 3, "0x1002");
        initramfs.put("/sys/class/net/bonding_masters", "\n");
        let program = format!(
            "#!/bin/sh\nroot={root} PATH=/usr/bin:/bin\n\
             if [ \"$1\" = put-back ]; then echo \"$*\" >>$root/told; exit; fi\n\
             echo start >>$root/told\nround=$(grep -c start $root/told)\n{stage}\n"
        );
        initramfs.put("/usr/lib/stayput/stayput-boot", &program);
        initramfs.put("/usr/lib/stayput/run-stage", &initramfs.rooted(RUN_STAGE));
        let stage = Path::new(&root).join("usr/lib/stayput/stayput-boot");
        let made = Command::new("chmod").arg("755").arg(stage).status();
        assert!(made.unwrap().success());
        initramfs
    }

    fn root(&self) -> String {
        self.0.path().display().to_string()
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn put_card(&self, name: &str, index: u32, flags: &str) {
        self.put(
            &format!("/sys/class/net/{name}/ifindex"),
            &format!("{index}\n"),
        );
        self.put(
            &format!("/sys/class/net/{name}/flags"),
            &format!("{flags}\n"),
        );
    }

    fn text(&self, path: &str) -> String {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// A script, with this folder before every path that it touches.
    fn rooted(&self, script: &str) -> String {
        let mut rooted = String::new();
        let mut rest = script;
        while let Some(at) = rest.find('/') {
            let begins = rest[..at].ends_with([' ', '"', '=', '<', '>', '(']);
            rooted += &rest[..at];
            rest = &rest[at..];
            if begins && TOUCHED.iter().any(|path| rest.starts_with(path)) {
                rooted += &self.root();
            }
            rooted.push('/');
            rest = &rest[1..];
        }
        rooted + rest
    }

    /// Runs shell; what it calls is found in `path`. Gives its exit code, or `None`
    /// where it was ended because it goes on for ever.
    fn run(&self, text: &str, path: &str) -> Option<i32> {
        let mut shells = ["/bin/dash", "/bin/sh"].into_iter();
        let sh = shells.find(|sh| Path::new(sh).exists()).unwrap();
        let mut command = Command::new("/usr/bin/timeout");
        let status = command
            .args(["5", sh, "-c", text])
            .env("PATH", path)
            .status();
        status.unwrap().code().filter(|code| *code != 124)
    }

    /// Runs the stage as dracut's unit does; gives what was called, a line each.
    fn runs(&self) -> String {
        let root = self.root();
        // Nobody waits here, and no signal leaves this test.
        let text = format!(
            "sleep() {{ echo \"sleep $*\" >>{root}/told; [ \"$(grep -c sleep {root}/told)\" -lt 9 ] \
             || exit 99; }}\nkill() {{ echo \"kill $*\" >>{root}/told; }}\n\
             . {root}/usr/lib/stayput/run-stage; run_stage"
        );
        let ended = self.run(&text, "/usr/bin:/bin");
        assert_eq!(ended, Some(0), "{}", self.text("told"));
        self.text("told")
    }

    /// Runs initramfs-tools' script, with the programs of klibc.
    fn runs_script(&self, variables: &str) -> Option<i32> {
        let programs = self.0.path().join("programs");
        fs::create_dir_all(&programs).unwrap();
        for program in ["cat", "mkdir", "mv", "sleep"] {
            let _ =
                std::os::unix::fs::symlink(Path::new("/bin").join(program), programs.join(program));
        }
        let text = format!("{variables}\n{}", self.rooted(SCRIPT));
        self.run(&text, &programs.display().to_string())
    }
}

#[test]
fn a_released_server_goes_on_and_nothing_is_put_back() {
    assert_eq!(Initramfs::with_stage("exit 0").runs(), "start");
}

#[test]
fn a_stage_runs_where_no_console_can_be_opened() {
    let initramfs = Initramfs::with_stage("exit 0");
    fs::remove_file(initramfs.0.path().join("dev/console")).unwrap();
    assert_eq!(initramfs.runs(), "start");
}

#[test]
fn what_the_stage_prints_goes_to_the_console() {
    let initramfs = Initramfs::with_stage("echo panicked >&2; exit 0");
    initramfs.runs();
    assert_eq!(initramfs.text("/dev/console"), "panicked");
}

#[test]
fn a_stage_that_was_killed_starts_again_with_growing_pauses() {
    let told = Initramfs::with_stage("[ $round -lt 7 ] || exit 0; kill -9 $$").runs();
    let pauses: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("sleep "))
        .collect();
    assert_eq!(pauses, ["1", "2", "4", "8", "16", "30"]);
    assert_eq!(told.matches("start").count(), 7);
}

#[test]
fn without_keys_the_boot_goes_on_and_nothing_is_put_back_twice() {
    // The stage has done that itself; others may have set up cards since.
    let told = Initramfs::with_stage("exit 10").runs();
    assert_eq!(told, "start");
}

#[test]
fn cards_that_come_or_are_renamed_meanwhile_are_put_down() {
    let stage = "case $round in
        1) mv $root/sys/class/net/eth1 $root/sys/class/net/lan1
           mkdir $root/sys/class/net/eth2
           echo 7 >$root/sys/class/net/eth2/ifindex
           for card in lan1 eth2; do echo 0x1003 >$root/sys/class/net/$card/flags; done
           exit 1 ;;
        esac";
    let told = Initramfs::with_stage(stage).runs();
    let put_back = told.lines().nth(1).unwrap();
    assert_eq!(
        put_back, "put-back 7 3",
        "by number, and not the one that was up"
    );
}

#[test]
fn the_kernel_and_systemd_speak_after_a_kill() {
    let stage = "[ $round -lt 2 ] || exit 0
        echo 1 >$root/proc/sys/kernel/printk
        exit 1";
    let initramfs = Initramfs::with_stage(stage);
    initramfs.put("/run/systemd/system/a.service", "");
    let told = initramfs.runs();
    assert_eq!(initramfs.text("/proc/sys/kernel/printk"), "4");
    assert!(told.contains("kill -54 1"), "systemd is silent: {told}");
}

#[test]
fn another_init_than_systemd_gets_no_signal() {
    let told = Initramfs::with_stage("exit 10").runs();
    assert!(!told.contains("kill"), "{told}");
}

#[test]
fn after_a_crash_of_the_kernel_no_stage_runs() {
    let initramfs = Initramfs::with_stage("exit 0");
    initramfs.put("/proc/vmcore", "");
    assert_eq!(initramfs.runs_script(""), Some(0));
    assert_eq!(initramfs.text("told"), "");
}

#[test]
fn a_later_failure_restarts_and_the_owners_word_stands() {
    for (variables, told) in [("", "panic=30"), ("panic=5", "")] {
        let initramfs = Initramfs::with_stage("exit 0");
        initramfs.put("/conf/param.conf", "");
        assert_eq!(initramfs.runs_script(variables), Some(0));
        let conf = initramfs.text("/conf/param.conf");
        let panic = conf.lines().find(|line| line.starts_with("panic="));
        assert_eq!(panic.unwrap_or_default(), told);
        assert!(conf.contains("starttime="), "{conf}");
    }
}

#[test]
fn the_networks_files_are_out_of_the_way_without_busybox() {
    let initramfs =
        Initramfs::with_stage("until [ -e $root/run/net-eth1.conf ]; do sleep 0.05; done");
    let root = initramfs.root();
    let functions = format!(
        "configure_networking() {{ echo DEVICE=eth1 >{root}/run/net-eth1.conf; sleep 60; }}\n"
    );
    initramfs.put("/scripts/functions", &functions);
    initramfs.put("/run/net-ipmi.conf", "mine\n");
    assert_eq!(initramfs.runs_script("IP=dhcp"), Some(0));
    let folder = initramfs.0.path().join("run");
    assert!(!folder.join("net-eth1.conf").exists());
    assert!(folder.join("net-eth1.conf.stayput").exists());
    assert_eq!(
        initramfs.text("/run/net-ipmi.conf"),
        "mine",
        "of somebody else"
    );
    assert_eq!(initramfs.text("told"), "start\nput-back 3");
}
