-- server: bit columns
create table k (id int primary key, b bit(64), one bit(1), f float);
insert into k values (1, 18446744073709551615, 1, 1.5), (2, 9223372036854775808, 0, null);

-- server: sets and enums
create table k (id int primary key, s set('a','b','ü'), e enum('','x','y'), f float);
insert into k values (1, 'a,ü', '', 1), (2, '', 'x', 2), (3, null, null, null);

-- server: enum error values
-- sound or refused
create table k (id int primary key, e enum('','x','y'));
set sql_mode='';
insert into k values (1, 'nosuch'), (2, '');

-- server: decimals, years and times
create table k (id int primary key, d decimal(65,30), y year, t time(6), dt datetime(6), f float);
insert into k values (1, 12345678901234567890123456789012345.123456789012345678901234567890, 1999,
    '-838:59:59.999999', '9999-12-31 23:59:59.999999', 1);

-- server: uuids and addresses
create table k (id int primary key, u uuid, i inet6, i4 inet4, f float);
insert into k values (1, uuid(), '::1', '1.2.3.4', 1), (2, uuid(), 'fe80::1', '255.255.255.255', 2);

-- server: floats at their edges
create table k (id int primary key, f float, f2 float(7,3), d double, dz double(10,2));
insert into k values (1, 3.4028234e38, 1234.567, 1.7976931348623157e308, 1.235),
    (2, 1.17549435e-38, 0, 5e-324, 0), (3, 1e-40, 0, 2.2250738585072014e-308, 0), (4, -0e0, 0, -0e0, 0);

-- server: floats without a key
create table k (f float, g float unsigned);
insert into k select seq / 7, seq / 3 from seq_1_to_200;
insert into k select * from k;

-- server: a float as the key
create table k (f float primary key, note text);
insert into k select seq / 7, seq from seq_1_to_200;

-- server: floats in a MyISAM table
create table k (f float, note varchar(20)) engine=myisam;
insert into k select seq / 7, seq from seq_1_to_200;
delete from k where note like '1_';
insert into k values (0.1, 'in a hole');

-- server: doubles
create table k (id int primary key, d double, dz double(10,2));
insert into k values (1, 1.7976931348623157e308, 1.235), (2, 5e-324, 0),
    (3, 2.2250738585072014e-308, 0), (4, 0.1 + 0.2, 0), (5, 123456789012345678, 1);

-- server: json and character sets
create table k (id int primary key, j json, lt varchar(20) character set latin1,
    u16 varchar(20) character set utf16, ch char(5) character set cp1251,
    u4 varchar(20) character set utf8mb4, sw varchar(20) character set swe7, f float);
insert into k values (1, '{"a": "ü\\n"}', 'müller', 'ü', 'Ж', '😀', 'abc', 1);

-- server: times in the doubled hour
create table k (id int primary key, ts timestamp(6) null, f float);
set time_zone = '+00:00';
insert into k values (1, '2012-03-25 00:30:00.123456', 1), (2, '2012-10-28 00:30:00', 1),
    (3, '2012-10-28 01:30:00', 1), (4, '1970-01-01 00:00:01', 1);

-- server: zero dates
set sql_mode = '';
create table k (d date not null default '0000-00-00',
    ts timestamp not null default '0000-00-00 00:00:00', f float);
insert into k values ('0000-00-00', '0000-00-00', 1), ('2012-02-31', '2012-01-01', 2);

-- server: rows of twenty megabytes
set session sql_mode = '';
set global max_allowed_packet = 67108864;
create table k (id int primary key, b mediumtext, c longblob, f float);
delimiter //
begin not atomic
    insert into k select 1, repeat('ü', 3000000), null, 1.1;
    update k set c = repeat(x'0027', 4000000);
end//
delimiter ;

-- server: old temporal columns
-- sound or refused
set global mysql56_temporal_format = off;
create table k (id int, d datetime, t time, ts timestamp null);
insert into k values (1, '2012-03-04 05:06:07', '10:11:12', '2012-03-04 05:06:07');
set global mysql56_temporal_format = on;

-- server: compressed columns
create table k (id int, a text compressed, b varchar(2000) compressed, c blob compressed);
insert into k values (1, repeat('abc', 1000), repeat('x', 1500), repeat(x'00ff', 1000));

-- server: virtual columns
create table k (id int primary key, a varchar(20), b varchar(20) as (upper(a)) virtual,
    c varchar(20) as (lower(a)) persistent, d blob as (concat(a, a)) virtual, f float, key (b));
insert into k (id, a, f) values (1, 'Abc', 0.1), (2, null, 0.2), (3, 'Def', 0.3);

-- server: virtual floats
create table k (id int primary key, f float, g float as (f * 2) virtual, h float as (f / 3) stored);
insert into k (id, f) values (1, 0.1), (2, 1e30);

-- server: points on a map
create table k (id int primary key, p point not null, spatial index (p), f float) engine=innodb;
insert into k values (1, point(1, 2), 1.2345678), (2, st_geomfromtext('POINT(3 4)', 4326), 0.1);
create table shapes (g geometry, m multipolygon) engine=myisam;
insert into shapes values (st_geomfromtext('LINESTRING(0 0,1 1,2 3)'), null);

-- server: words of a text
create table k (id int primary key, body text, fulltext (body)) engine=innodb;
insert into k values (1, 'hello world'), (2, 'world of words');
create table m (id int primary key, body text, fulltext (body)) engine=myisam;
insert into m select * from k;

-- server: vectors
-- only: trixie
create table k (id int primary key, v vector(3) not null, vector index (v), f float);
insert into k values (1, vec_fromtext('[1,2,3]'), 0.1), (2, vec_fromtext('[0.1,0.2,0.3]'), 0.2);

-- server: invisible columns and defaults that compute
create table k (id int primary key, inv int invisible default 5, made datetime default (now() - interval 1 day),
    other varchar(50) default (concat('a', 'b')), f float);
insert into k (id, inv, f) values (1, 7, 0.1);
insert into k (id) values (2);

-- server: strange bytes in text
create table k (id int primary key, t text, v varbinary(9), b binary(5), z int zerofill);
insert into k values (1, 'a\0b\n\t\\''"%_\Z', x'00ff', 'a\0\0', 7), (2, '', '', '', 0);
create table nokey (a int, b varchar(5));
insert into nokey values (null, null), (1, '\0\n\t'), (1, '\0\n\t');

-- server: the ends of whole numbers
create table k (a tinyint, b smallint unsigned, c mediumint, d bigint, e bigint unsigned, f float);
insert into k values (-128, 65535, -8388608, -9223372036854775808, 18446744073709551615, 1);
