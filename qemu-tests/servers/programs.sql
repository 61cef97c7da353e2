-- server: sequences
create sequence s1 start with 5; select nextval(s1);
create sequence s2 increment by -3 minvalue -100 maxvalue 50 cycle cache 10; select nextval(s2);
create sequence s3 nocache; select nextval(s3), nextval(s3);

-- server: defaults from a sequence
create sequence s1 cache 10; select nextval(s1);
create table k (id int default nextval(s1), b int, f float); insert into k (b, f) values (1, 0.1), (2, 0.2);

-- server: views upon views
create table t (a int primary key, b varchar(10)); insert into t select seq, concat('b', seq) from seq_1_to_20;
create view v1 as select * from t;
create view v2 as select * from v1 where a > 5 with check option;
create algorithm=temptable sql security invoker view a_first as select count(*) as n from v2;

-- server: definers who are gone
create table t (a int, b varchar(10));
create definer='gone'@'nowhere' view v as select 1 as x;
create definer='gone'@'nowhere' procedure p (in a int) select a;
create definer='gone'@'nowhere' trigger tr before insert on t for each row set new.b = new.b;

-- server: a broken view
-- sound or refused
create table t (a int); create view v as select a from t; drop table t;

-- server: a broken view of a broken view
-- sound or refused
create table t (a int); create view v as select a from t; create view w as select a from v;
alter table t change a b int;

-- server: triggers in an order
create table t (a int, b varchar(50)); create table log (note text);
create trigger t1 before insert on t for each row set new.b = concat(new.b, '1');
create trigger t3 before insert on t for each row set new.b = concat(new.b, '3');
create trigger t2 before insert on t for each row follows t1 set new.b = concat(new.b, '2');
create trigger l after insert on t for each row insert into log values (new.b);
insert into t values (1, 'x');

-- server: programs in other modes
create procedure plain() select 1;
set sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'; create function piped(a text) returns text deterministic return 'a' || a || "a"; 
set sql_mode = 'NO_BACKSLASH_ESCAPES'; create procedure slash() select '\';
set sql_mode = '';
create function counted() returns int reads sql data comment 'it''s one' sql security invoker return (select 1);

-- server: packages
set sql_mode = oracle;
delimiter //
create package pk as function f1 return int; end//
create package body pk as function f1 return int as begin return 1; end; end//
create procedure p1(a in int, b out varchar2) as begin b := a; end//
delimiter ;

-- server: functions that add up
delimiter //
create aggregate function added(x int) returns int
begin
    declare s int default 0;
    declare continue handler for not found return s;
    loop fetch group next row; set s = s + x; end loop;
end//
delimiter ;

-- server: events of the past
create table t (a int);
create event past on schedule at current_timestamp + interval 1 second do delete from t where a < 0;
create event past_kept on schedule at current_timestamp + interval 1 second on completion preserve do delete from t where a < 0;
create event ended on schedule every 1 second starts '2020-01-01' ends current_timestamp + interval 1 second
    on completion preserve do delete from t where a < 0;
select sleep(2);

-- server: events of the future
create event tidy on schedule every 1 day starts '2037-01-01' do select 1;
create event off on schedule every 1 day starts '2037-01-01' disable do select 1;
create event replica on schedule every 1 day starts '2037-01-01' disable on slave comment 'c' do select 1;
set time_zone = '+05:30'; create event zoned on schedule at '2037-01-01 00:00:00' do select 1;

-- server: programs in other letters
set names latin1; create procedure p1() select 'abc';
set names utf8mb4; create procedure p2() select 'Больница', '😀';
create procedure `п`(`имя` text) select `имя`;
create view v as select 'ü' as `ж`;
