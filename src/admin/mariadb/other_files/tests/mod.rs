//! Data directories as they are found, with what people put there.

mod binary_logs;
mod classifying;
mod moving;

use super::*;

/// As MariaDB 10.11 on Debian 12 answers.
const ANSWERS: &str = "\
database\tmysql
database\tclinic
database\twe@0020ird
database\tlost+found
database\texports
table\tmysql\tglobal_priv\tAria
table\tmysql\tgeneral_log\tCSV
table\tclinic\tpatient\tInnoDB
table\tclinic\tod@0020d\tInnoDB
table\tclinic\tm\tMyISAM
table\tclinic\tmp\tMyISAM
table\tclinic\ta\tAria
table\tclinic\tmg\tMRG_MyISAM
table\tclinic\tconnected\tCONNECT
table\tclinic\tdd\tInnoDB
table\tclinic\tv\t
trigger\tclinic\ttr
innodb\tclinic/FTS_0000000000000012_CONFIG
variable\tdatadir\t/var/lib/mysql/
variable\tinnodb_buffer_pool_filename\tib_buffer_pool
variable\tinnodb_data_file_path\tibdata1:12M;more:10M:autoextend
variable\tinnodb_temp_data_file_path\tibtmp1:12M:autoextend
variable\tlog_bin_basename\t/var/lib/mysql/mysql-bin
variable\tlog_bin_index\t/var/lib/mysql/mysql-bin.index
variable\tpid_file\t/var/lib/mysql/clinic.pid
variable\tssl_cert\t/var/lib/mysql/clinic.crt
variable\tssl_key\t/etc/mysql/clinic.key";

fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(cells).collect()
}

fn known() -> Known {
    Known::parse(&rows(ANSWERS)).unwrap()
}

fn file(path: &str, bytes: u64) -> Entry {
    Entry {
        path: path.into(),
        kind: Kind::File,
        bytes,
        links: 1,
    }
}
