//! What the hooks of both generators put into an image, on a server in a folder. Only
//! the generators' own functions are replaced.

use crate::admin::boot_files::*;
use std::process::{Command, Stdio};

const FUNCTIONS: &str = "\
    copy_exec() { mkdir -p \"$DESTDIR${1%/*}\" && cp -p \"$1\" \"$DESTDIR$1\" && $COPIED \"$DESTDIR$1\"; }\n\
    copy_file() { copy_exec \"$2\"; }\n\
    manual_add_modules() { :; }\n\
    force_load() { :; }\n";

const RUN_DRACUT: &str = "\
    dwarn() { echo \"$1\" >&2; }\n\
    dfatal() { echo \"$1\" >&2; }\n\
    inst_simple() { local to=$initdir/${2:-$1}; mkdir -p \"${to%/*}\" && cp -p \"$1\" \"$to\" && $COPIED \"$to\"; }\n\
    inst_multiple() { :; }\n\
    inst_hook() { :; }\n\
    systemdsystemunitdir=/usr/lib/systemd/system\n\
    . \"$moddir/module-setup.sh\"\n\
    if check; then install; fi\n";

const MARK_PATH: &str = "etc/stayput/installed";
const CONF_PATH: &str = "etc/stayput/vault.conf";
const DATABASE: &str = "var/lib/stayput/mariadb.check";
const OLD_IMAGE: &str = "boot/initrd.img-6.1";
const MODULE: &str = "usr/lib/dracut/modules.d/50stayput";
const SCRIPT_IN_IMAGE: &str = "image/scripts/init-premount/stayput";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// The generator ended with a failure: an older image is kept.
    Nothing,
    WithStage,
    WithoutStage,
}

/// A server that was set up.
struct Server(tempfile::TempDir);

impl Server {
    fn set_up() -> Self {
        let server = Self(tempfile::tempdir().unwrap());
        let mut files = vec![
            ("usr/lib/stayput/stayput-boot", "stage"),
            (MARK_PATH, "put there"),
            (CONF_PATH, "a vault"),
            ("usr/sbin/stayput", "#!/bin/sh\n"),
            ("usr/share/initramfs-tools/hook-functions", FUNCTIONS),
        ];
        files.extend(BOOT_FILES.iter().map(|file| (&file.path[1..], file.text)));
        for (path, text) in files {
            server.put(path, text);
        }
        for path in ["usr/lib/stayput/stayput-boot", "usr/sbin/stayput"] {
            server.set_mode(path, 0o755);
        }
        server
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a text, with this folder in front of the paths in it.
    fn put(&self, path: &str, text: &str) {
        let mut text = text.to_owned();
        let root = self.0.path().display();
        for folder in [
            "/usr/share/",
            "/usr/lib/stayput",
            "/usr/sbin/",
            "/etc/",
            "/var/lib/",
            "/boot/",
        ] {
            text = text.replace(folder, &format!("{root}{folder}"));
        }
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }

    fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn lose(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    /// What each generator makes, and what both say.
    fn made(&self) -> ([Made; 2], String) {
        self.made_where("true")
    }

    /// `copied` is run on each copy.
    fn made_where(&self, copied: &str) -> ([Made; 2], String) {
        let mut tools = Command::new("sh");
        tools.arg(self.at("etc/initramfs-tools/hooks/stayput"));
        let mut dracut = Command::new("bash");
        dracut.args(["-c", RUN_DRACUT]);
        let mut said = String::new();
        let made = [tools, dracut].map(|mut hook| {
            let image = self.at("image");
            let _ = fs::remove_dir_all(&image);
            // mkinitramfs copies the scripts first.
            self.put(SCRIPT_IN_IMAGE, SCRIPT.text);
            let ended = hook
                .envs([("version", "6.1"), ("kernel", "6.1"), ("COPIED", copied)])
                .envs([("DESTDIR", &image), ("initdir", &image)])
                .envs([("outfile", self.at(OLD_IMAGE)), ("moddir", self.at(MODULE))])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            said += &String::from_utf8_lossy(&ended.stderr);
            let stage = format!(
                "{}{}",
                image.display(),
                self.at("usr/lib/stayput/stayput-boot").display()
            );
            match ended.status.success() {
                false => Made::Nothing,
                true if Path::new(&stage).exists() => Made::WithStage,
                true => Made::WithoutStage,
            }
        });
        (made, said)
    }
}

#[test]
fn a_server_that_is_set_up_gets_its_stage() {
    let (made, said) = Server::set_up().made();
    assert_eq!(made, [Made::WithStage; 2], "{said}");
    assert_eq!(said, "");
}

#[test]
fn a_stage_that_cannot_be_run_is_in_no_new_image() {
    let server = Server::set_up();
    server.put(OLD_IMAGE, "with a stage");
    let (made, said) = server.made_where("chmod 644");
    assert_eq!(made, [Made::Nothing; 2], "{said}");
    server.set_mode("usr/lib/stayput/stayput-boot", 0o644);
    let (made, said) = server.made();
    assert_eq!(made, [Made::Nothing; 2], "{said}");
    assert!(said.contains("chmod 755"), "{said}");
    // A kernel without an image would start nothing at all.
    server.lose(OLD_IMAGE);
    let (made, said) = server.made();
    assert_eq!(made, [Made::WithoutStage; 2], "{said}");
    assert!(said.contains("starts without the database"), "{said}");
}

#[test]
fn a_lost_mark_takes_no_stage_from_an_encrypted_database() {
    let server = Server::set_up();
    server.lose(MARK_PATH);
    let (made, _) = server.made();
    assert_eq!(made, [Made::WithoutStage; 2], "nothing needs it");
    server.put(DATABASE, "check values");
    let (made, said) = server.made();
    assert_eq!(made, [Made::WithStage; 2], "{said}");

    // All of /etc/stayput.
    server.lose(CONF_PATH);
    server.put(OLD_IMAGE, "with a stage");
    let (made, said) = server.made();
    assert_eq!(made, [Made::Nothing; 2], "{said}");
    assert!(said.contains("stayput init, which finds"), "{said}");
    server.lose(OLD_IMAGE);
    let (made, said) = server.made();
    assert_eq!(made, [Made::WithoutStage; 2], "{said}");
    assert!(said.contains("starts without the database"), "{said}");

    // `stayput uninstall` has begun.
    server.put(MARK_PATH, "");
    let (made, said) = server.made();
    assert_eq!((made, said), ([Made::WithoutStage; 2], String::new()));
}

/// The script that a package brings is copied by mkinitramfs, whatever the hook does.
#[test]
fn an_image_without_the_stage_has_no_script_of_ours() {
    let server = Server::set_up();
    let hook = |script: Option<&str>| {
        let image = server.at("image");
        let _ = fs::remove_dir_all(&image);
        if let Some(text) = script {
            server.put(SCRIPT_IN_IMAGE, text);
        }
        let mut hook = Command::new("sh");
        hook.arg(server.at("etc/initramfs-tools/hooks/stayput"));
        hook.env("DESTDIR", &image).env("version", "6.1");
        assert!(hook.status().unwrap().success());
        server.at(SCRIPT_IN_IMAGE).exists()
    };
    assert!(hook(Some(SCRIPT.text)), "it runs the stage");
    server.lose(MARK_PATH);
    server.lose(CONF_PATH);
    assert!(!hook(Some(SCRIPT.text)));
    // mkinitramfs reads the order of what is in a folder that is there.
    assert!(!server.at("image/scripts/init-premount").exists());
    assert!(!hook(None));
    assert!(hook(Some("#!/bin/sh\necho stay put\n")), "its owner's");
}
