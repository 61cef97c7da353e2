//! Holds the rooms of docs/architecture.md to their order: imports run
//! downwards only, so there is no circle.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that stand on each other.
struct House {
    /// What stands before a room's name in an import.
    path: &'static str,
    /// From the lowest floor to the highest. Rooms of one floor know nothing of
    /// each other.
    floors: &'static [&'static [&'static str]],
    /// Files and folders that are no room: they belong to all of them.
    common: &'static [&'static str],
}

const SRC: House = House {
    path: "crate::",
    floors: &[
        &["build_mark", "columns", "printable"],
        &["sys"],
        &["filesystem", "keys"],
        &["backup", "theft"],
        &["vault"],
        &["environment", "release", "stick"],
        &["opening", "reset"],
        &["admin", "boot"],
        &["bin"],
    ],
    common: &["lib", "fuzzing", "tests"],
};

const ENVIRONMENT: House = House {
    path: "crate::environment::",
    floors: &[
        &["factors"],
        &["machine", "matching", "tang", "wire"],
        &["enrolment"],
        &["observing"],
    ],
    common: &["mod", "tests"],
};

/// What the commands share, from what knows nothing to the command line.
const ADMIN: House = House {
    path: "crate::admin::",
    floors: &[
        &["output"],
        &[
            "by_hand",
            "child_work",
            "durable",
            "factor_counts",
            "filled",
            "names",
            "one_screen",
            "problem",
            "suggested_secret",
            "tang_advertisement",
            "timestamp",
        ],
        &["packaged"],
        &["backup"],
        &[
            "ask",
            "event_json",
            "guessing_time",
            "installed_files",
            "json",
            "lock_file",
            "named_stick",
            "open_vault",
            "own_addresses",
            "program",
            "root",
        ],
        &["boot_files", "everybody", "key_sticks", "systemd"],
        &["initramfs"],
        &["mariadb_service", "service_unit"],
        &["backup_service", "release_service", "watch_service"],
        &[
            "event_text",
            "key_destruction",
            "key_release",
            "skipped_units",
        ],
        &["typed_secrets"],
        &["unlock"],
        &[
            "brought_back",
            "mariadb",
            "pending_reset",
            "ways_copies",
            "ways_in",
        ],
        &["commands"],
        &["setup"],
        &["cli"],
        &["children"],
    ],
    common: &["fuzzing", "mod"],
};

/// No command knows another.
const COMMANDS: House = House {
    path: "crate::admin::commands::",
    floors: &[&[
        "audit",
        "backup",
        "check",
        "code",
        "enroll",
        "init",
        "install",
        "log",
        "mariadb",
        "package",
        "passphrase",
        "policy",
        "rekey",
        "release",
        "reset",
        "restore",
        "sheet",
        "simulate",
        "status",
        "stick",
        "watch",
    ]],
    common: &["mod"],
};

const MARIADB: House = House {
    path: "crate::admin::mariadb::",
    floors: &[
        &[
            "check_file",
            "config",
            "conversion",
            "data_directory",
            "environment",
            "gate_units",
            "occupants",
            "overwrite",
            "settings",
        ],
        &["cold_backups", "service_user", "swap"],
        &["copying", "known_database", "launch", "version"],
        &[
            "open_for",
            "other_files",
            "process",
            "run_records",
            "start_faults",
        ],
        &[
            "after_start",
            "clear_data",
            "dependence",
            "gate",
            "start_assessment",
            "stop",
        ],
        &["enable"],
        &["backup_source", "disable"],
        &["restore"],
    ],
    common: &["mod"],
};

const HOUSES: [House; 5] = [SRC, ENVIRONMENT, ADMIN, COMMANDS, MARIADB];

impl House {
    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|rooms| rooms.contains(&room))
    }

    fn folder(&self) -> PathBuf {
        let modules = self.path.trim_start_matches("crate::").split("::");
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        src.join(modules.collect::<PathBuf>())
    }

    /// The rooms that a line of code names, `crate::vault::Vault` for one. What
    /// comes by the front of all of them has the name of what it is, or none.
    fn named<'a>(&self, code: &'a str) -> impl Iterator<Item = &'a str> {
        code.split(self.path).skip(1).map(|path| {
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
            &path[..end.unwrap_or(path.len())]
        })
    }

    /// What a file of this room imports from where it must not. `depth` is how
    /// many modules it is below the room.
    fn upwards(&self, room: &str, depth: usize, text: &str) -> Vec<String> {
        let own = self.floor(room).unwrap();
        let is_lower =
            |other: &str| other == room || self.floor(other).is_some_and(|floor| floor < own);
        let mut depth = depth;
        let mut found = Vec::new();
        for line in text.lines() {
            let code = line.split("//").next().unwrap_or_default();
            let others = self.named(code).filter(|other| !is_lower(other));
            found.extend(others.map(|other| format!("{}{other}", self.path)));
            let supers = "super::".repeat(depth + 1);
            if code.contains(&supers) {
                found.push(supers);
            }
            depth += usize::from(code.ends_with("mod tests {"));
        }
        found
    }

    fn look(&self, room: &str, depth: usize, file: &Path, found: &mut Vec<String>) {
        if file.is_dir() {
            for entry in fs::read_dir(file).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                let depth = depth + usize::from(name != "mod");
                self.look(room, depth, &path, found);
            }
            return;
        }
        let text = fs::read_to_string(file).unwrap();
        for other in self.upwards(room, depth, &text) {
            found.push(format!("{} imports {other}", file.display()));
        }
    }

    fn assert_imports_run_downwards(&self) {
        let mut found = Vec::new();
        for room in self.floors.iter().flat_map(|rooms| rooms.iter()) {
            let folder = self.folder().join(room);
            let paths = [folder.with_extension("rs"), folder];
            for path in paths.iter().filter(|path| path.exists()) {
                self.look(room, 0, path, &mut found);
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    fn assert_every_room_has_its_floor(&self) {
        for entry in fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_known = self.floor(name).is_some() || self.common.contains(&name);
            assert!(is_known, "{name}");
        }
    }
}

#[test]
fn imports_run_downwards_from_room_to_room() {
    HOUSES.iter().for_each(House::assert_imports_run_downwards);
}

#[test]
fn every_room_has_its_floor() {
    HOUSES
        .iter()
        .for_each(House::assert_every_room_has_its_floor);
}

#[test]
fn an_import_of_a_higher_room_is_seen() {
    assert_eq!(
        SRC.upwards("vault", 1, "use crate::boot::run;"),
        ["crate::boot"]
    );
    assert_eq!(
        SRC.upwards("stick", 1, "fn a(b: crate::release::C) {}"),
        ["crate::release"]
    );
    let fine = "use crate::keys::MasterKey;\n/// See [`crate::boot`].\nuse crate::vault::x;";
    assert!(SRC.upwards("vault", 1, fine).is_empty());
}

#[test]
fn an_import_by_the_front_of_the_environment_is_seen() {
    let imports = |text| ENVIRONMENT.upwards("wire", 1, text);
    assert_eq!(
        imports("use crate::environment::{\n    Observed, neighbour_label,\n};"),
        ["crate::environment::"]
    );
    assert_eq!(
        imports("use crate::environment::Observed;"),
        ["crate::environment::Observed"]
    );
    assert_eq!(imports("use super::super::Observed;"), ["super::super::"]);
    let tests = "use super::nd;\nmod tests {\n    use super::super::arp;\n}";
    assert!(imports(tests).is_empty());
    assert!(imports("use crate::environment::factors::Observed;").is_empty());
}

#[test]
fn an_import_between_commands_or_back_to_one_is_seen() {
    assert_eq!(
        COMMANDS.upwards("status", 0, "use crate::admin::commands::log::sentence;"),
        ["crate::admin::commands::log"]
    );
    assert_eq!(
        ADMIN.upwards("mariadb", 2, "use crate::admin::commands::install;"),
        ["crate::admin::commands"]
    );
    assert_eq!(
        MARIADB.upwards("gate", 0, "use crate::admin::mariadb::enable::Ends;"),
        ["crate::admin::mariadb::enable"]
    );
}
