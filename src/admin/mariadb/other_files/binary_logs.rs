//! Decides whether the binary logs may end with the original data directory, by who
//! still needs them. Pure.

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::Row;
use crate::admin::problem::Problem;
use crate::printable::Printable;

use super::report::size;
use super::{Class, ClassifiedEntry};

/// What the running server says of replication; a server that was started
/// for the copy alone has no replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// The server writes binary logs.
    pub log_bin: bool,
    /// Replicas that are connected or registered, a line for each.
    pub replicas: Vec<String>,
    /// The servers that this one follows, a line for each.
    pub follows: Vec<String>,
    /// It is a member of a Galera cluster.
    pub cluster: bool,
}

/// Hosts are all that is taken from the rows: no password stands in them.
impl Replication {
    /// Asks for `log_bin`, `wsrep_on`, and the connections that read binary
    /// logs.
    pub const QUESTIONS: [&str; 3] = [
        "SELECT 'log_bin', @@GLOBAL.log_bin",
        "SELECT 'cluster', VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES \
         WHERE VARIABLE_NAME = 'WSREP_ON'",
        "SELECT 'reads', HOST FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
    ];
    /// Its rows are the second argument of [`Replication::parse`].
    pub const REGISTERED: &str = "SHOW SLAVE HOSTS";
    /// Its rows are the third argument of [`Replication::parse`].
    pub const FOLLOWED: &str = "SHOW ALL SLAVES STATUS";

    /// Reads the answers to the three.
    pub fn parse(answers: &[Row], registered: &[Row], followed: &[Row]) -> Self {
        let mut read = Self::default();
        for row in answers {
            match row.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["log_bin", value] => read.log_bin = value == "1",
                ["cluster", value] => read.cluster = value == "ON",
                ["reads", host] => read.replicas.push(host.to_owned()),
                _ => {}
            }
        }
        // Server_id, Host, Port, Master_id.
        for row in registered {
            let field = |at: usize| row.get(at).map_or("", String::as_str);
            let replica = format!("server {} {}", field(0), field(1));
            read.replicas.push(replica.trim_end().to_owned());
        }
        // Connection_name, Slave_SQL_State, Slave_IO_State, Master_Host.
        let masters = followed.iter().map(|row| row.get(3).cloned());
        read.follows.extend(masters.map(Option::unwrap_or_default));
        read
    }
}

/// What is done about the binary logs.
#[derive(Debug)]
pub enum BinlogDecision {
    /// There are none that anybody needs.
    Nothing,
    /// They may go, and the person reads this before saying yes.
    Say(Vec<String>),
    /// Nothing is begun.
    Refuse(Problem),
}

/// `discard`: the owner has said that the binary logs may go. `conversion` is the run that
/// ends them.
pub fn decide(
    replication: &Replication,
    found: &[ClassifiedEntry],
    discard: bool,
    conversion: Conversion,
) -> BinlogDecision {
    if replication.cluster {
        return BinlogDecision::Refuse(Problem::refused(
            "This server is a member of a Galera cluster. Nothing was changed.",
            "Take it out of the cluster first (wsrep_on=OFF in /etc/mysql, restart); its members \
             would overwrite the new data.",
        ));
    }
    if !replication.follows.is_empty() {
        return BinlogDecision::Refuse(Problem::refused(
            format!(
                "This server is a replica of {}: its place in the other's log would be lost. \
                 Nothing was changed.",
                shown(&replication.follows)
            ),
            "Note `SHOW ALL SLAVES STATUS\\G`, run `STOP ALL SLAVES; RESET SLAVE ALL;`, then this \
             command again, and set replication up again from a dump of the other server.",
        ));
    }
    let logs: Vec<&ClassifiedEntry> = found
        .iter()
        .filter(|found| found.class == Class::BinaryLogs)
        .collect();
    if !replication.replicas.is_empty() && !discard {
        return BinlogDecision::Refuse(Problem::refused(
            format!(
                "Replicas read this server's binary logs, which begin anew: {}. Nothing was \
                 changed.",
                shown(&replication.replicas)
            ),
            "Run it again with --discard-binary-logs, and set the replicas up again afterwards \
             from a dump (`mariadb-dump --master-data`).",
        ));
    }
    if logs.is_empty() && !replication.log_bin {
        return BinlogDecision::Nothing;
    }
    let bytes = logs.iter().map(|found| found.entry.bytes).sum();
    let mut lines = vec![format!(
        "The binary logs begin anew: {} files with {} in the data directory go with the {}.",
        logs.len(),
        size(bytes),
        conversion.original()
    )];
    let names = logs.iter().map(|found| found.entry.path.to_string_lossy());
    let names: Vec<String> = names.map(String::from).collect();
    if !names.is_empty() {
        lines.push(format!("  {}", shown(&names)));
    }
    lines.push(
        "After it, no backup from before can be brought up to a later point in time. If you need \
         that, copy these files to where your backups are, and make a new full backup after it."
            .into(),
    );
    lines.push(match replication.replicas.is_empty() {
        true => "A replica that is not connected just now cannot be seen: set it up again from a \
                 dump."
            .into(),
        false => format!(
            "These replicas stop, and are set up again from a dump: {}.",
            shown(&replication.replicas)
        ),
    });
    BinlogDecision::Say(lines)
}

/// The first few names, and how many more.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let text = Printable(&first.join(", ")).to_string();
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
