-- server: steps of auto_increment
-- config: auto_increment_increment=10
-- config: auto_increment_offset=3
create table k (id int primary key auto_increment, f float); insert into k (f) values (0.1), (0.2), (0.3);

-- server: an init file
-- shell: echo "create table if not exists an_init_file.made (id int primary key); insert ignore into an_init_file.made values (1);" >/etc/mysql/init.sql
-- shell: mariadb -e 'create database an_init_file'
-- config: init_file=/etc/mysql/init.sql
create table k (f float); insert into k values (0.1);

-- server: a command at each connection
-- config: init_connect="set @x = 1"
create table k (f float); insert into k values (0.1);

-- server: names in lower case
-- config: lower_case_table_names=1
create table Patient (a float); insert into PATIENT values (0.1);

-- server: a sloppy mode
-- config: sql_mode=ALLOW_INVALID_DATES
create table k (d date, n tinyint, f float); insert into k values ('2012-02-31', 999, 0.1), (0, -999, 0.2);

-- server: an ANSI mode
-- config: sql_mode=ANSI,NO_BACKSLASH_ESCAPES
create table "k" ("a" text, "f" float); insert into "k" values ('back\slash', 0.1);

-- server: latin1 everywhere
-- config: character_set_server=latin1
-- config: collation_server=latin1_swedish_ci
create database made_latin; create table made_latin.k (t text, f float); insert into made_latin.k values ('ü', 0.1);

-- server: all tables in one file
-- config: innodb_file_per_table=0
create table k (id int primary key, f float); insert into k select seq, seq / 7 from seq_1_to_1000;

-- server: MyISAM by default
-- config: default_storage_engine=MyISAM
create table k (id int primary key, f float, t text); insert into k select seq, seq / 7, seq from seq_1_to_1000;

-- server: another time zone
-- config: default_time_zone=+05:30
create table k (ts timestamp default current_timestamp, d datetime default current_timestamp, f float);
insert into k (f) values (0.1), (0.2);

-- server: only for reading
-- config: read_only=1
create table k (f float); insert into k values (0.1);

-- server: packets smaller than rows
-- config: max_allowed_packet=1M
create table k (id int primary key, t longtext, f float);
set global max_allowed_packet = 67108864;
\! mariadb packets_smaller_than_rows -e "insert into k values (1, repeat('x', 5000000), 0.1)"

-- server: events run
-- config: event_scheduler=ON
create event later on schedule at '2037-01-01' do select 1;
create event every_hour on schedule every 1 hour starts '2037-01-01' do select 1;

-- server: keys are demanded
-- config: innodb_force_primary_key=1
create table k (id int primary key, f float); insert into k values (1, 0.1);

-- server: timestamps as of old
-- config: explicit_defaults_for_timestamp=0
create table k (a timestamp, b timestamp null, f float); insert into k (f) values (0.1);

-- server: an engine in the configuration
-- config: plugin_load_add=ha_archive
create table k (id int, f float) engine=archive; insert into k values (1, 0.1);

-- server: connections that end soon
-- config: wait_timeout=2
-- config: net_write_timeout=2
create table k (id int primary key, t text); insert into k select seq, repeat('x', 1000) from seq_1_to_50000;

-- server: absolute homes
-- sound or refused
-- config: innodb_data_home_dir=/var/lib/mysql
-- config: innodb_log_group_home_dir=/var/lib/mysql
create table k (id int primary key, f float); insert into k values (1, 0.1);

-- server: logs of Aria elsewhere
-- sound or refused
-- shell: systemctl stop mariadb; mkdir /var/lib/aria; chown mysql: /var/lib/aria; mv /var/lib/mysql/aria_log* /var/lib/aria
-- config: aria_log_dir_path=/var/lib/aria
create table k (id int primary key, f float) engine=aria; insert into k values (1, 0.1);

-- server: a temporary directory elsewhere
-- shell: mkdir -m 1777 /var/elsewhere
-- config: tmpdir=/var/elsewhere
create table k (f float); insert into k values (0.1);

-- server: a general log
-- sound or refused
-- config: general_log=1
create table k (f float); insert into k values (0.1);

-- server: an audit log
-- sound or refused
-- config: plugin_load_add=server_audit
-- config: server_audit_logging=ON
create table k (f float); insert into k values (0.1);

-- server: a binary log
-- sound or refused
-- config: log_bin
-- config: server_id=7
create table k (f float); insert into k values (0.1);

-- server: foreign files beside the data
-- sound or refused
-- shell: echo dump >/var/lib/mysql/backup.sql; mkdir /var/lib/mysql/exports; echo 1 >/var/lib/mysql/exports/a.csv
create table k (f float); insert into k values (0.1);

-- server: a large buffer pool
-- config: innodb_buffer_pool_size=1G
create table k (f float); insert into k values (0.1);

-- server: another port and socket
-- config: port=3333
-- config: bind_address=127.0.0.1
create table k (f float); insert into k values (0.1);

-- server: pages of another size
-- shell: systemctl stop mariadb; rm -r /var/lib/mysql; mariadb-install-db --user=mysql --innodb-page-size=32k --skip-test-db >/dev/null
-- config: innodb_page_size=32k
create table k (id int primary key, t text, f float); insert into k select seq, repeat('x', 5000), seq / 7 from seq_1_to_500;

-- server: a collation of its own
-- config: collation_server=utf8mb4_unicode_520_ci
create table k (t varchar(20) primary key, f float); insert into k values ('ß', 0.1), ('s', 0.2);
