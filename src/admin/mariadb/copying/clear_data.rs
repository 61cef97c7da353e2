//! What a running server that should encrypt writes in the clear, and what one that
//! should not still encrypts, as it says itself.

use crate::admin::mariadb::settings::SETTINGS;
use crate::admin::problem::{Problem, Result};

use super::client::{Client, Patient, Row, SILENT_MAX};
use super::leftovers::rows_in_clear;
use super::sql_problem;

/// Settings under which whole statements with their values are written down.
const LOGS: [&str; 3] = ["general_log", "log_slow_query", "slow_query_log"];

/// Everything that stands in the clear, in words; empty where all is encrypted.
///
/// # Errors
/// When the server does not answer.
pub fn clear_data(client: &Client) -> Result<Vec<String>> {
    let patience = Patient(SILENT_MAX);
    let mut clear = client
        .open(&patience)
        .and_then(|mut server| rows_in_clear(&mut server, client.is_live()))
        .map_err(|error| sql_problem::problem(&error, "asking which tables are encrypted"))?;
    // Those that MariaDB was told to take out of encryption, or has not reached yet.
    let spaces = client.rows(
        "SELECT NAME FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
         WHERE ENCRYPTION_SCHEME = 0 OR MIN_KEY_VERSION = 0",
    )?;
    let spaces = spaces.iter().map(|row| row.concat());
    clear.extend(spaces.map(|name| format!("the tablespace {name}")));
    clear.extend(in_settings(&client.rows("SHOW GLOBAL VARIABLES")?));
    Ok(clear)
}

/// Checks that a server has no file and writes none that needs a key.
///
/// # Errors
/// Names what is encrypted.
pub fn refuse_encrypted(client: &Client) -> Result<()> {
    if let Some(first) = encrypting_settings(&client.rows("SHOW GLOBAL VARIABLES")?).first() {
        return Err(Problem::failed(
            format!("MariaDB still encrypts: {first} is set."),
            "Take it out of /etc/mysql, then run the command again.",
        ));
    }
    refuse_encrypted_spaces(client)
}

/// Checks that no tablespace of InnoDB is encrypted.
///
/// # Errors
/// Names the first.
pub fn refuse_encrypted_spaces(client: &Client) -> Result<()> {
    let spaces = client.rows(
        "SELECT NAME FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
         WHERE ENCRYPTION_SCHEME <> 0 AND CURRENT_KEY_VERSION <> 0 LIMIT 1",
    )?;
    match spaces.first() {
        None => Ok(()),
        Some(name) => Err(Problem::failed(
            format!("The tablespace {} is still encrypted.", name.concat()),
            "Please report this to stayput's authors.",
        )),
    }
}

/// The settings under which a server still encrypts something.
fn encrypting_settings(variables: &[Row]) -> Vec<&str> {
    let encrypts = |name: &str| {
        let mut settings = SETTINGS.iter();
        settings.any(|setting| setting.name == name && name.contains("encrypt_"))
    };
    let set = variables.iter().filter_map(|row| match &row[..] {
        [name, value] if encrypts(name) && value != "OFF" => Some(name.as_str()),
        _ => None,
    });
    set.collect()
}

/// What the settings of a running server leave in the clear. They can be changed
/// after the gate has seen them.
fn in_settings(variables: &[Row]) -> Vec<String> {
    let value = |wanted: &str| {
        let mut variables = variables.iter();
        variables.find_map(|row| match &row[..] {
            [name, value] if name == wanted => Some(value.as_str()),
            _ => None,
        })
    };
    let encrypting = SETTINGS
        .iter()
        .filter(|setting| setting.name.contains("encrypt_"));
    let changed = encrypting.filter_map(|setting| {
        setting.demanded?;
        // A plugin that is not loaded has no settings.
        let now = value(setting.name).unwrap_or("not set");
        let name = setting.name;
        (!now.eq_ignore_ascii_case(setting.value)).then(|| format!("the setting {name} is {now}"))
    });
    let logs = LOGS.iter().filter(|name| value(name) == Some("ON"));
    let logs = logs.map(|name| format!("statements with their values: {name} is ON"));
    changed.chain(logs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(changed: &[(&str, &str)]) -> Vec<Row> {
        let all = SETTINGS.iter().map(|setting| (setting.name, setting.value));
        let all = all.filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let all = all.chain(changed.iter().copied());
        all.map(|(name, value)| vec![name.into(), value.into()])
            .collect()
    }

    #[test]
    fn encryption_that_is_still_on_is_seen() {
        let rows = variables(&[("innodb_encrypt_log", "OFF")]);
        let set = encrypting_settings(&rows);
        assert!(set.contains(&"aria_encrypt_tables"), "{set:?}");
        assert!(!set.contains(&"innodb_encrypt_log"), "{set:?}");
        let off: Vec<Row> = rows
            .iter()
            .map(|row| vec![row[0].clone(), "OFF".into()])
            .collect();
        assert_eq!(encrypting_settings(&off), [""; 0]);
    }

    #[test]
    fn encryption_that_was_switched_off_is_seen() {
        assert_eq!(in_settings(&variables(&[])), [""; 0]);
        let off = in_settings(&variables(&[("innodb_encrypt_tables", "OFF")]));
        assert_eq!(off, ["the setting innodb_encrypt_tables is OFF"]);
        let log = in_settings(&variables(&[("general_log", "ON")]));
        assert_eq!(log, ["statements with their values: general_log is ON"]);
        assert!(in_settings(&variables(&[("general_log", "OFF")])).is_empty());
        let none = in_settings(&[]);
        assert!(none.contains(&"the setting encrypt_tmp_files is not set".to_owned()));
    }
}
