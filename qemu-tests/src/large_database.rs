//! A clinic's server with much data, to be measured.

use std::fmt::Write;

use crate::{Container, Failure, Result, Scratch, Suite, loop_device, minutes, run};

/// Room in /var/lib for each gigabyte of rows: the original, the copy, and a
/// dump that was loaded, each with its indexes.
const ROOM_EACH: u64 = 6 << 30;
/// Room for everything else.
const ROOM: u64 = 4 << 30;

/// A running container whose /var/lib is on a disk that is large enough.
pub struct LargeDatabase {
    container: Container,
    _scratch: Scratch,
}

impl LargeDatabase {
    /// MariaDB runs, with this many gigabytes of rows, not encrypted.
    ///
    /// # Errors
    /// When the container does not start, or the rows cannot be made.
    pub fn with_rows(gigabytes: u64) -> Result<Self> {
        let scratch = Scratch::new()?;
        let container = Container::fresh(Suite::Bookworm)?;
        let server = Self {
            container,
            _scratch: scratch,
        };
        server.wait_for_database()?;
        server.shell("systemctl stop mariadb")?.success()?;
        server.give_room(ROOM + gigabytes * ROOM_EACH)?;
        // What is inserted is sorted there first, and it has to have the room.
        let elsewhere = "mkdir -m 1777 /var/lib/sorted && printf '[mysqld]\ntmpdir=/var/lib/sorted\n' \
                         >/etc/mysql/mariadb.conf.d/90-sorted.cnf && systemctl start mariadb";
        server.shell(elsewhere)?.success()?;
        server.wait_for_database()?;
        server.sql(TABLES)?;
        for (table, each, values) in ROWS {
            let statement = format!(
                "SET unique_checks = 0, foreign_key_checks = 0; USE clinic; \
                 INSERT INTO {table} SELECT {values} FROM seq_1_to_{}",
                each * gigabytes
            );
            let command = format!("mariadb -e \"{statement}\"");
            server.shell_within(&command, minutes(30))?.success()?;
            let count = server.sql(&format!("SELECT COUNT(*) FROM clinic.{table}"))?;
            if count.trim() != (each * gigabytes).to_string() {
                let log = server.shell("journalctl -u mariadb -o cat --no-pager | tail -n 20")?;
                return Err(Failure::new(format!(
                    "{table} has {} rows instead of {}: {log}",
                    count.trim(),
                    each * gigabytes
                )));
            }
        }
        // Nothing of the making is left to be done while it is measured.
        let settle = "rm /etc/mysql/mariadb.conf.d/90-sorted.cnf && systemctl restart mariadb && \
                      rmdir /var/lib/sorted && sync";
        server.shell_within(settle, minutes(10))?.success()?;
        server.wait_for_database()?;
        Ok(server)
    }

    /// Moves /var/lib onto a disk of its own.
    fn give_room(&self, bytes: u64) -> Result {
        let image = self._scratch.join("data.img").display().to_string();
        std::fs::File::create(&image)?.set_len(bytes)?;
        run("mkfs.ext4", &["-q", &image])?;
        let device = loop_device(image.as_ref())?;
        let device = device.as_str();
        let name = device.trim_start_matches("/dev/");
        let moved = self.shell_within(
            &format!(
                "set -e; number=$(cat /sys/class/block/{name}/dev); \
                 mknod /dev/data b ${{number%:*}} ${{number#*:}}; \
                 mount -o noinit_itable /dev/data /mnt; cp -a /var/lib/. /mnt; umount /mnt; \
                 mount -o noinit_itable /dev/data /var/lib"
            ),
            minutes(2),
        );
        // Its last mount keeps it from here on.
        run("losetup", &["--detach", device])?;
        moved?.success()?;
        Ok(())
    }

    /// Bytes of the tables, of their indexes, and rows.
    ///
    /// # Errors
    /// When MariaDB does not answer.
    pub fn sizes(&self) -> Result<[u64; 3]> {
        let mut count = String::from("SELECT 0");
        for (table, _, _) in ROWS {
            let _ = write!(count, " + (SELECT COUNT(*) FROM clinic.{table})");
        }
        let command = format!(
            "mariadb -N -B -e \"ANALYZE TABLE clinic.patient, clinic.visit, clinic.observation, \
             clinic.note, clinic.picture\" >/dev/null; \
             mariadb -N -B -e \"SELECT SUM(DATA_LENGTH), SUM(INDEX_LENGTH), ({count}) \
             FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'clinic'\""
        );
        let said = self.shell_within(&command, minutes(10))?.success()?;
        let figures: Vec<u64> = said
            .split_whitespace()
            .filter_map(|figure| figure.parse().ok())
            .collect();
        figures
            .try_into()
            .map_err(|_| Failure::new(format!("no sizes in {said:?}")))
    }
}

impl std::ops::Deref for LargeDatabase {
    type Target = Container;
    fn deref(&self) -> &Container {
        &self.container
    }
}

const TABLES: &str = "CREATE DATABASE clinic; USE clinic; \
     CREATE TABLE patient (id INT PRIMARY KEY, name VARCHAR(80), born DATE, village VARCHAR(60), \
     phone VARCHAR(20), weight FLOAT, seen DATETIME, KEY (name), KEY (born)); \
     CREATE TABLE visit (id INT PRIMARY KEY, patient INT, seen DATETIME, reason VARCHAR(100), \
     fee DECIMAL(8,2), state ENUM('open', 'closed', 'sent'), KEY (patient), KEY (seen)); \
     CREATE TABLE observation (id BIGINT PRIMARY KEY, visit INT, concept SMALLINT, value DOUBLE, \
     text VARCHAR(60), taken TIMESTAMP, KEY (visit), KEY (concept, taken)); \
     CREATE TABLE note (id INT PRIMARY KEY, visit INT, written DATETIME, text TEXT, KEY (visit)); \
     CREATE TABLE picture (id INT PRIMARY KEY, visit INT, kind VARCHAR(20), data MEDIUMBLOB)";

/// Table, rows for each gigabyte, and what is in them: many short rows, and a
/// few long ones.
const ROWS: [(&str, u64, &str); 5] = [
    (
        "patient",
        280_000,
        "seq, CONCAT(LEFT(MD5(seq), 12), ' ', LEFT(MD5(-seq), 14)), \
         '1930-01-01' + INTERVAL seq % 30000 DAY, CONCAT('village ', seq % 800), \
         CONCAT('+254 ', 700000000 + seq), 3 + seq % 900 / 10, \
         '2016-01-01' + INTERVAL seq % 300000 MINUTE",
    ),
    (
        "visit",
        1_100_000,
        "seq, 1 + seq * 7919 % 280000, '2016-01-01' + INTERVAL seq * 5 MINUTE, \
         CONCAT('seen for ', LEFT(MD5(seq), 20)), seq % 5000 / 4, 1 + seq % 3",
    ),
    (
        "observation",
        4_500_000,
        "seq, 1 + seq DIV 4, seq * 31 % 700, seq % 4000 / 7, \
         IF(seq % 3, NULL, CONCAT('said: ', MD5(seq))), \
         '2016-01-01' + INTERVAL seq % 10000000 MINUTE",
    ),
    (
        "note",
        170_000,
        "seq, 1 + seq * 6, '2016-01-01' + INTERVAL seq * 30 MINUTE, \
         CONCAT('the patient''s story ', seq, ': ', REPEAT(CONCAT(MD5(seq), ' '), 20 + seq % 60))",
    ),
    (
        "picture",
        3_400,
        "seq, 1 + seq * 300, 'image/jpeg', REPEAT(UNHEX(SHA2(seq, 512)), 300 + seq % 700)",
    ),
];
