//! Reads a unit's properties from systemd over D-Bus. There each argument of a
//! command is a value of its own; `systemctl show` prints one line, in which blanks
//! between and inside arguments look alike.

use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::admin::problem::{Problem, Result};

use super::command_line::Command;

const BUSCTL: &str = "/usr/bin/busctl";

/// Longest answer that is taken, in bytes; a real one has 20 000.
const ANSWER_MAX: usize = 1 << 20;

/// While the system starts, the bus is there before systemd answers on it.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_millis(200);

/// All properties of one unit, or of systemd itself.
#[derive(Clone, Debug)]
pub struct Properties(serde_json::Map<String, Value>);

/// A property is missing or of another kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoProperty(pub &'static str);

impl Properties {
    /// `text` is what busctl prints of `org.freedesktop.DBus.Properties.GetAll`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > ANSWER_MAX {
            return None;
        }
        let mut answer: Value = serde_json::from_str(text).ok()?;
        match answer.get_mut("data")?.get_mut(0)?.take() {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// # Errors
    /// When systemd cannot be asked.
    pub fn of_unit(unit: &str) -> Result<Self> {
        ask(
            &format!("/org/freedesktop/systemd1/unit/{}", escaped(unit)),
            "",
        )
    }

    /// # Errors
    /// When systemd cannot be asked.
    pub fn of_systemd() -> Result<Self> {
        ask(
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
        )
    }

    fn data(&self, name: &str) -> Option<&Value> {
        self.0.get(name)?.get("data")
    }

    /// # Errors
    /// [`NoProperty`].
    pub fn text(&self, name: &'static str) -> std::result::Result<&str, NoProperty> {
        self.data(name)
            .and_then(Value::as_str)
            .ok_or(NoProperty(name))
    }

    /// A switch that this systemd may not know yet: off then.
    pub fn is_on(&self, name: &str) -> bool {
        match self.data(name) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => !["", "no", "off"].contains(&text.as_str()),
            _ => false,
        }
    }

    /// # Errors
    /// [`NoProperty`].
    pub fn texts(&self, name: &'static str) -> std::result::Result<Vec<&str>, NoProperty> {
        let list = self.list(name)?;
        list.iter()
            .map(|value| value.as_str().ok_or(NoProperty(name)))
            .collect()
    }

    /// A list of structures, each as its fields.
    ///
    /// # Errors
    /// [`NoProperty`].
    pub fn rows(&self, name: &'static str) -> std::result::Result<Vec<&[Value]>, NoProperty> {
        let list = self.list(name)?;
        list.iter()
            .map(|row| row.as_array().map(Vec::as_slice).ok_or(NoProperty(name)))
            .collect()
    }

    /// Commands; `name` is that of the property with flags (`ExecStartEx`).
    ///
    /// # Errors
    /// [`NoProperty`].
    pub fn commands(&self, name: &'static str) -> std::result::Result<Vec<Command>, NoProperty> {
        let words = |value: &Value| -> Option<Vec<String>> {
            let words = value.as_array()?.iter();
            words.map(|word| Some(word.as_str()?.to_owned())).collect()
        };
        let command = |row: &[Value]| {
            Some(Command {
                path: row.first()?.as_str()?.to_owned(),
                argv: words(row.get(1)?)?,
                flags: words(row.get(2)?)?,
            })
        };
        let rows = self.rows(name)?.into_iter();
        rows.map(|row| command(row).ok_or(NoProperty(name)))
            .collect()
    }

    fn list(&self, name: &'static str) -> std::result::Result<&Vec<Value>, NoProperty> {
        self.data(name)
            .and_then(Value::as_array)
            .ok_or(NoProperty(name))
    }
}

fn ask(object: &str, interface: &str) -> Result<Properties> {
    let started = Instant::now();
    loop {
        let answer = Program::new(BUSCTL)
            .args(["--json=short", "--timeout=10", "call"])
            .args(["org.freedesktop.systemd1", object])
            .args(["org.freedesktop.DBus.Properties", "GetAll", "s", interface])
            .stdin(Stdio::null())
            .output();
        let why = match answer {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout);
                match Properties::parse(&text) {
                    Some(properties) => return Ok(properties),
                    None => "its answer makes no sense".into(),
                }
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("{BUSCTL}: {error}"),
        };
        if started.elapsed() > PATIENCE {
            return Err(Problem::failed(
                format!("systemd does not tell how it starts MariaDB: {why}"),
                "Is the package dbus installed, and does it run? `systemctl status dbus` tells.",
            ));
        }
        thread::sleep(BETWEEN);
    }
}

/// A unit's name as a part of an object's path.
fn escaped(unit: &str) -> String {
    let mut path = String::new();
    for (at, byte) in unit.bytes().enumerate() {
        let plain = byte.is_ascii_alphabetic() || (byte.is_ascii_digit() && at > 0);
        match plain {
            true => path.push(char::from(byte)),
            false => path.push_str(&format!("_{byte:02x}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_units_name_becomes_its_path() {
        assert_eq!(escaped("mariadb.service"), "mariadb_2eservice");
        assert_eq!(escaped("mariadb@a-1.service"), "mariadb_40a_2d1_2eservice");
        assert_eq!(escaped("1"), "_31");
    }

    #[test]
    fn words_stay_apart_and_flags_are_kept() {
        let text = r#"{"type":"a{sv}","data":[{"ExecStartEx":{"type":"a(sasasttttuii)","data":
            [["/x",["/x","a b","$C"],["privileged"],0,0,0,0,0,0,0]]},"User":{"type":"s","data":"mysql"},
            "DynamicUser":{"type":"b","data":true},"ProtectHome":{"type":"s","data":"no"}}]}"#;
        let properties = Properties::parse(text).unwrap();
        let commands = properties.commands("ExecStartEx").unwrap();
        assert_eq!(commands[0].argv, ["/x", "a b", "$C"]);
        assert_eq!(commands[0].flags, ["privileged"]);
        assert_eq!(properties.text("User"), Ok("mysql"));
        assert!(properties.is_on("DynamicUser"));
        assert!(!properties.is_on("ProtectHome") && !properties.is_on("Unheard"));
        let none = properties.commands("ExecStartPreEx");
        assert_eq!(none, Err(NoProperty("ExecStartPreEx")));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "[\\[\\]{}\",:a-z0-9 ]{0,200}") {
            if let Some(properties) = Properties::parse(&text) {
                let _ = properties.commands("a");
            }
        }
    }
}
