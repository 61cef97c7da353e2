-- server: roles
create user ro1 identified by 'x'; create user ro2 identified by 'y';
create role doctor; create role nurse with admin ro1; grant doctor to ro1 with admin option;
grant doctor to ro2;
grant select on roles.* to doctor; set default role doctor for ro2;

-- server: ed25519
-- alone
install soname 'auth_ed25519';
create user ed@'%' identified via ed25519 using password('secret');

-- server: sockets and passwords
create user us1 identified via unix_socket;
create user us2 identified via unix_socket or mysql_native_password using password('x');
create user us3 identified via mysql_native_password using 'invalid' or unix_socket;

-- server: old hashes and required ciphers
create user oh1 identified by password '*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29' require ssl;
create user oh2 identified by 'x' require issuer '/CN=a' and subject '/CN=b';
create user oh3@'10.0.0.0/255.0.0.0' identified by 'x'; create user oh4@'%.example.org';

-- server: accounts that end
create user ae1 identified by 'x' password expire interval 30 day account lock;
create user ae2 identified by 'x' with max_queries_per_hour 5 max_user_connections 2 max_statement_time 1.5;
create user ae3 identified by 'x' password expire;

-- server: grants on columns and programs
create table t (a int, b int); create procedure p() select 1; create function f() returns int return 1;
create user gc1@localhost; grant select (a), update (b) on t to gc1@localhost; grant execute on procedure p to gc1@localhost;
grant execute on function f to gc1@localhost with grant option; create user gc2@localhost;
grant proxy on gc1@localhost to gc2@localhost; grant reload, process on *.* to gc2@localhost;
grant select on `grants\_on%`.* to gc2@localhost;

-- server: nobody's account
create user ''@localhost; create user ''@'%' identified by 'x';

-- server: servers with passwords
create server far foreign data wrapper mysql options (host '192.0.2.1', database 'd', user 'u', password 'p', port 3307);

-- server: a plugin for passwords
-- alone
install soname 'simple_password_check'; set global simple_password_check_digits = 0;
create user sp1 identified by 'Long!enough';

-- server: root with a password
-- alone
-- shell: printf '[client]\nuser=root\npassword=s3cret\n' >/root/.my.cnf; chmod 600 /root/.my.cnf
-- shell: mariadb --no-defaults -e "alter user root@localhost identified via mysql_native_password using password('s3cret') or unix_socket"
create table k (f float); insert into k values (0.1);
