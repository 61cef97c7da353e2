-- server: partitions by range
create table k (id int, y int, f float) partition by range (y)
    (partition p0 values less than (2000), partition p1 values less than maxvalue);
insert into k values (1, 1999, 0.1), (2, 2001, 0.2);

-- server: partitions of partitions
create table k (id int, y int, f float) partition by list (y) subpartition by hash (id) subpartitions 2
    (partition p0 values in (1, 2), partition p1 values in (3, null));
insert into k values (1, 1, 0.1), (2, null, 0.2);
create table h (id int primary key, f float) partition by key () partitions 3;
insert into h select seq, seq / 3 from seq_1_to_50;

-- server: versions of rows
create table k (id int primary key, note text) with system versioning;
insert into k values (1, 'a'), (2, 'b'); update k set note = 'c' where id = 1; delete from k where id = 2;

-- server: versions of floats
create table k (id int, f float, d double) with system versioning;
insert into k values (1, 3.14159274, 1); update k set f = 2.71828182;

-- server: versions in partitions
create table k (id int) with system versioning
    partition by system_time (partition p0 history, partition pc current);
insert into k values (1); update k set id = 2; delete from k;

-- server: versions by transaction
-- sound or refused
create table k (x int, a bigint unsigned generated always as row start,
    b bigint unsigned generated always as row end, period for system_time (a, b))
    with system versioning engine=innodb;
insert into k (x) values (1); update k set x = 2;

-- server: columns without versions
create table k (id int primary key, f float, note text without system versioning) with system versioning;
insert into k values (1, 0.1, 'a'); update k set f = 0.2; update k set note = 'b';

-- server: periods that must not overlap
create table k (id int, s date, e date, period for p(s, e), unique (id, p without overlaps));
insert into k values (1, '2000-01-01', '2001-01-01'), (1, '2001-01-01', '2002-01-01');

-- server: rows against a check
-- sound or refused
create table k (a int check (a > 0), f float);
set check_constraint_checks = 0; insert into k values (-1, 0.1); set check_constraint_checks = 1;

-- server: rows whose parents are gone
create table p (id int primary key) engine=innodb;
create table c (id int primary key, r int, f float,
    constraint fkx foreign key (r) references p (id) on delete cascade) engine=innodb;
set foreign_key_checks = 0; insert into c values (1, 99, 0.1);

-- server: parents in a circle and in another database
create table a (id int primary key, r int) engine=innodb;
create table b (id int primary key, r int, foreign key (r) references a (id)) engine=innodb;
alter table a add foreign key (r) references b (id);
insert into a values (1, null); insert into b values (1, 1); update a set r = 1;
create database aa_first;
create table aa_first.c (id int primary key, r int,
    foreign key (r) references parents_in_a_circle_and_in_another_database.b (id)) engine=innodb;
insert into aa_first.c values (1, 1);

-- server: a merge of tables
create table m1 (a int, b varchar(9)) engine=myisam; create table m2 like m1;
create table mrg (a int, b varchar(9)) engine=mrg_myisam union=(m1, m2) insert_method=last;
insert into m1 values (1, 'x'); insert into m2 values (2, 'y');

-- server: a merge of floats
create table m1 (a int, f float) engine=myisam;
create table mrg (a int, f float) engine=mrg_myisam union=(m1) insert_method=last;
insert into m1 values (1, 1.5), (2, 0.1);

-- server: comma-separated tables
create table k (a int not null, f float not null, t varchar(50) not null) engine=csv;
insert into k values (1, 0.1, 'a "quoted", text'), (2, 0.2, 'line\nbreak');

-- server: Aria with and without transactions
create table k (id int primary key, f float) engine=aria transactional=1;
create table n (id int primary key, f float) engine=aria transactional=0;
create table p (id int primary key, t text) engine=aria row_format=page page_checksum=1;
insert into k select seq, seq / 3 from seq_1_to_100; insert into n select * from k;
insert into p select id, repeat('x', 3000) from k;

-- server: tables in memory
create table k (a int, f float) engine=memory; insert into k values (1, 0.1);

-- server: an archive
-- alone
install soname 'ha_archive';
create table k (id int primary key auto_increment, f float, t text) engine=archive;
insert into k (f, t) select seq / 3, seq from seq_1_to_100;

-- server: a black hole
-- alone
install soname 'ha_blackhole';
create table k (id int primary key, f float) engine=blackhole; insert into k values (1, 0.1);

-- server: tables on another server
-- alone
-- shell: mariadb -e "create database far; create user far@localhost identified by 'far'; grant all on far.* to far@localhost"
install soname 'ha_federatedx';
create table far.k (id int, f float); insert into far.k values (1, 0.1), (2, 0.2);
create table k (id int, f float) engine=federated connection='mysql://far:far@127.0.0.1:3306/far/k';

-- server: a thousand tables
delimiter //
for i in 1..1000 do
    execute immediate concat('create table t', i, ' (id int primary key, f float, note text)');
    execute immediate concat('insert into t', i, ' values (1, ', i, ' / 7, ''x'')');
end for//
delimiter ;

-- server: rows too large for strict mode
-- sound or refused
set session innodb_strict_mode = 0;
delimiter //
begin not atomic
    declare c text default '';
    for i in 1..200 do set c = concat(c, ', c', i, ' varchar(60) character set utf8mb4'); end for;
    execute immediate concat('create table k (id int primary key', c, ') row_format=compact');
end//
delimiter ;
insert into k (id, c1) values (1, 'x');

-- server: compressed pages
set global innodb_compression_algorithm = 'zlib';
create table k (id int primary key, t text) row_format=compressed key_block_size=8;
create table p (id int primary key, t text) page_compressed=1 page_compression_level=3;
insert into k select seq, repeat('abc', 1000) from seq_1_to_100; insert into p select * from k;

-- server: formats of rows
create table r (id int primary key, f float) row_format=redundant;
create table c (id int primary key, f float) row_format=compact;
create table d (id int primary key, f float) row_format=dynamic stats_persistent=0 comment='it''s a comment';
insert into r select seq, seq / 7 from seq_1_to_100; insert into c select * from r; insert into d select * from r;

-- server: five hundred columns
delimiter //
begin not atomic
    declare c text default '';
    declare v text default '';
    for i in 1..500 do set c = concat(c, ', c', i, ' float'); set v = concat(v, ', ', i, ' / 7'); end for;
    execute immediate concat('create table k (id int primary key', c, ')');
    execute immediate concat('insert into k values (1', v, ')');
end//
delimiter ;

-- server: the next number is far ahead
create table k (id int primary key auto_increment, b int);
insert into k values (5, 1); delete from k; alter table k auto_increment = 77;
create table m (a int, id int auto_increment, primary key (a, id)) engine=myisam;
insert into m (a) values (1), (1), (2);
create table z (id int primary key auto_increment, f float);
set sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; insert into z values (0, 0.1), (-5, 0.2), (3, 0.3);

-- server: statistics that persist
create table k (a int primary key, b varchar(10)); insert into k select seq, concat('b', seq) from seq_1_to_100;
analyze table k persistent for all;
create database zoo;
create table zoo.k (a int primary key, b varchar(10)); insert into zoo.k select seq, concat('b', seq) from seq_1_to_100;
analyze table zoo.k persistent for all;

-- server: keys of every sort
create table k (id int primary key, a varchar(200), b int, f float,
    unique (a(20), b), key d (b desc), key i (f) ignored, unique u using hash (a));
insert into k select seq, concat('a', seq), seq, seq / 7 from seq_1_to_100;

-- server: a unique key on a long text
create table k (id int, t text, unique (t) using hash); insert into k values (1, repeat('x', 5000));

-- server: a table without rows
create table k (id int primary key auto_increment, f float); create table m (f float) engine=myisam;

-- server: two hundred thousand rows
create table k (id int primary key, f float, n int, t varchar(30), key (n));
insert into k select seq, seq / 7, seq % 1000, concat('row ', seq) from seq_1_to_200000;

-- server: a table of one gigabyte
-- alone
-- large
create table k (id int primary key, f float, t mediumtext);
insert into k select seq, seq / 7, repeat(sha2(seq, 512), 500) from seq_1_to_15000;
