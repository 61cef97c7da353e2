-- server: dots and slashes in names
create database `a.b`;
create table `a.b`.`x/y` (`c.d` int, `q``q` float);
insert into `a.b`.`x/y` values (1, 1.1);

-- server: names that share a dot
create database `d.a`; create database `d`;
create table `d.a`.`b` (x int primary key, f float); insert into `d.a`.b values (1, 1.1);
create table `d`.`a.b` (x int primary key, f float); insert into `d`.`a.b` values (2, 2.2);

-- server: quotes in names
create database `quo'te"d`;
create table `quo'te"d`.`t'"` (`a'"` float);
insert into `quo'te"d`.`t'"` values (1.7);
create table `b``q` (`x``y` float);
insert into `b``q` values (0.3);

-- server: names in Cyrillic
create database `Больница`;
create table `Больница`.`Пациент` (`имя` varchar(20), `вес` float);
insert into `Больница`.`Пациент` values ('Иван', 70.12345);

-- server: names in Cyrillic without a locale
-- alone
-- without a locale
create database `Клиника`;
create table `Клиника`.`Пациент` (`имя` varchar(20), `вес` float);
insert into `Клиника`.`Пациент` values ('Иван', 70.12345);

-- server: reserved words as names
create table `select` (`from` int primary key, `where` float, `key` text);
insert into `select` values (1, 0.1, 'x');
create view `table` as select `from`, `where` from `select`;

-- server: long names
create table t234567890123456789012345678901234567890123456789012345678901234
    (c234567890123456789012345678901234567890123456789012345678901234 float);
insert into t234567890123456789012345678901234567890123456789012345678901234 values (0.7);

-- server: names that differ in case
create table Patient (a float); create table patient (a float);
insert into Patient values (0.1); insert into patient values (0.2);

-- server: dashes, dollars, blanks and percent signs
create database `a-b $c%d`;
create table `a-b $c%d`.`#x @y` (`a b` float, `%s` int, `$1` int);
insert into `a-b $c%d`.`#x @y` values (0.1, 1, 2);

-- server: a database called test and one with a comment
create database if not exists test;
create table test.k (f float); insert into test.k values (0.4);
create database remarked comment 'patients'' notes' character set latin1 collate latin1_german2_ci;
create table remarked.k (t text); insert into remarked.k values ('ü');

-- server: a database without tables
create database nothing_in_it character set utf8mb4 collate utf8mb4_bin;
