-- server: a table that must stay clear
-- refused: `a_table_that_must_stay_clear`.`k`
-- mend: alter table a_table_that_must_stay_clear.k encrypted=default
create table k (a int) encrypted=no; insert into k values (1);

-- server: a table in another place
-- refused: `a_table_in_another_place`.`k`
-- mend: create table a_table_in_another_place.n like a_table_in_another_place.k; insert into a_table_in_another_place.n select * from a_table_in_another_place.k; drop table a_table_in_another_place.k; alter table a_table_in_another_place.n engine=innodb
-- shell: mkdir /var/place; chown mysql: /var/place
create table k (a int) data directory='/var/place'; insert into k values (1);

-- server: a replica
-- refused: replica
-- mend: stop all slaves; reset slave all
change master to master_host='192.0.2.1', master_user='r', master_password='p';

-- server: a table that cannot be read
-- refused: k
-- mend: drop table a_table_that_cannot_be_read.k
create table k (a int) engine=myisam; insert into k values (1); flush tables;
\! truncate -s 0 /var/lib/mysql/a_table_that_cannot_be_read/k.MYI

-- server: too little room
-- refused: room
-- shell: free=$(df --output=avail -k /var/lib | tail -n 1); fallocate -l $((free - 100000))K /var/full
create table k (f float); insert into k values (0.1);
