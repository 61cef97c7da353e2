//! One trial: servers in a container, `enable`, and what became of them.

use super::servers::{Expected, ServerText};
use super::view::View;
use crate::{Container, Failure, Output, Result, Suite, minutes};

/// What became of the servers.
pub(super) enum Outcome {
    /// Each row is there, behind the gate, also after a power cut.
    Sound,
    /// A refusal before the server was stopped.
    Refused(String),
}

/// MariaDB's main process: another one means that it was away.
const PROCESS: &str = "systemctl show --property=MainPID --value mariadb";

/// It runs in the encrypted directory, and none of its tables is clear.
pub(super) const BEHIND_THE_GATE: &str = "pid=$(systemctl show --property=MainPID --value mariadb); \
     [ /proc/$pid/cwd -ef /var/lib/stayput/mariadb ] || \
     { echo \"it runs in $(readlink /proc/$pid/cwd)\"; exit 1; }; \
     clear=$(mariadb -N -B -e 'SELECT NAME FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
     WHERE ENCRYPTION_SCHEME = 0'); [ -z \"$clear\" ] || { echo \"clear: $clear\"; exit 1; }";

struct Trial<'a> {
    container: Container,
    servers: &'a [&'a ServerText],
    before: View,
}

/// Makes the servers in one container and encrypts them.
///
/// # Errors
/// They could not be made; or a row was lost, or the server was stopped for
/// nothing.
pub(super) fn run(suite: Suite, servers: &[&ServerText]) -> Result<Outcome> {
    let mut trial = Trial::begin(suite, servers)?;
    let process = trial.container.shell(PROCESS)?.success()?;
    let output = trial.enable()?;
    if output.ok() {
        trial.is_sound()?;
        return Ok(Outcome::Sound);
    }
    let now = trial.container.shell(PROCESS)?.success()?;
    if process != now || now.trim() == "0" {
        let log = "tail -n 80 /var/log/stayput-mariadb-enable.log";
        return Err(Failure::new(format!(
            "refused after it was stopped: {}\n{}",
            last_lines(&output),
            trial.container.shell(log)?
        )));
    }
    trial.is_as_before("after the refusal")?;
    if let Some(mend) = trial.mend() {
        trial.container.sql(&mend)?;
        trial.before = trial.view()?;
        let mended = trial.enable()?;
        if !mended.ok() {
            return Err(Failure::new(format!(
                "refused although it was mended: {}",
                last_lines(&mended)
            )));
        }
        trial.is_sound()?;
    }
    Ok(Outcome::Refused(output.text))
}

impl<'a> Trial<'a> {
    fn begin(suite: Suite, servers: &'a [&'a ServerText]) -> Result<Self> {
        let container = Container::fresh(suite)?;
        container.wait_for_database()?;
        for server in servers {
            make(&container, server).map_err(|failure| {
                Failure::new(format!("{} cannot be made: {failure}", server.name))
            })?;
        }
        // What no server survives a restart with is not stayput's to keep; and
        // what it has was written long ago.
        let settle = "systemctl restart mariadb && sync";
        container.shell(settle)?.success()?;
        container.wait_for_database()?;
        let large = servers.iter().any(|server| server.large);
        let before = View::of(&container, large)?;
        Ok(Self {
            container,
            servers,
            before,
        })
    }

    fn enable(&self) -> Result<Output> {
        let without_locale = self.servers.iter().any(|server| server.without_locale);
        let locale = if without_locale { "env -u LANG " } else { "" };
        self.container
            .shell_within(&format!("{locale}stayput mariadb enable --yes"), minutes(8))
    }

    fn mend(&self) -> Option<String> {
        self.servers
            .iter()
            .find_map(|server| match &server.expected {
                Expected::Refused { mend, .. } if !mend.is_empty() => Some(mend.clone()),
                _ => None,
            })
    }

    fn view(&self) -> Result<View> {
        let large = self.servers.iter().any(|server| server.large);
        View::of(&self.container, large)
    }

    fn is_as_before(&self, when: &str) -> Result {
        self.container.wait_for_database()?;
        match self.before.differences(&self.view()?) {
            None => Ok(()),
            Some(lines) => Err(Failure::new(format!("not the same {when}:{lines}"))),
        }
    }

    /// Behind the gate, also after the power was gone.
    fn is_sound(&mut self) -> Result {
        self.container.wait_for_database()?;
        self.container.shell(BEHIND_THE_GATE)?.success()?;
        self.is_as_before("behind the gate")?;
        self.container.power_cut_losing_unflushed()?;
        self.container.boot()?;
        self.is_as_before("after a power cut")?;
        self.container.shell(BEHIND_THE_GATE)?.success()?;
        Ok(())
    }
}

/// Makes of an empty server this one.
fn make(container: &Container, server: &ServerText) -> Result {
    for command in &server.shell {
        container.shell(command)?.success()?;
    }
    let root = container.root()?;
    if !server.config.is_empty() {
        let lines = format!("[mariadb]\n{}\n", server.config.join("\n"));
        std::fs::write(root.join("etc/mysql/mariadb.conf.d/90-clinic.cnf"), lines)?;
        container.shell("systemctl restart mariadb")?.success()?;
        container.wait_for_database()?;
    }
    std::fs::write(root.join("root/server.sql"), &server.sql)?;
    let database = server.database();
    let make = format!(
        "mariadb -e 'CREATE DATABASE IF NOT EXISTS `{database}`' && \
         mariadb --default-character-set=utf8mb4 '{database}' </root/server.sql >/dev/null"
    );
    container.shell_within(&make, minutes(5))?.success()?;
    Ok(())
}

/// The end of what a command said, where it says why.
fn last_lines(output: &Output) -> String {
    let lines: Vec<&str> = output.text.lines().collect();
    lines[lines.len().saturating_sub(6)..].join("\n    ")
}
