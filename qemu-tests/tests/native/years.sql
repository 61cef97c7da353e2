CREATE DATABASE clinic; USE clinic;
CREATE TABLE patient (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(80), weight FLOAT,
    born DATE, photo BLOB, seen TIMESTAMP DEFAULT CURRENT_TIMESTAMP, KEY (name));
INSERT INTO patient (name, weight, born, photo)
    SELECT CONCAT('päti''ent ', seq), 3.14159274 * seq, '1970-01-01' + INTERVAL seq DAY,
    UNHEX(MD5(seq)) FROM seq_1_to_500;
INSERT INTO patient (name) VALUES ('CANARY');
CREATE TABLE visit (id INT, note TEXT) ENGINE=Aria;
INSERT INTO visit SELECT seq, 'visit' FROM seq_1_to_300;
CREATE TABLE old (id INT, note TEXT) ENGINE=MyISAM;
INSERT INTO old VALUES (1, 'old');
CREATE TABLE `we``ird na.me` (a INT); INSERT INTO `we``ird na.me` VALUES (7);
CREATE TABLE change_log (note TEXT);
CREATE TRIGGER noted AFTER INSERT ON visit FOR EACH ROW
    INSERT INTO change_log VALUES (CONCAT('visit ', NEW.id));
CREATE VIEW heavy AS SELECT name FROM patient WHERE weight > 1000;
CREATE PROCEDURE count_them() SELECT COUNT(*) FROM patient;
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO DELETE FROM change_log;
CREATE TABLE kept (id INT) WITH SYSTEM VERSIONING;
INSERT INTO kept VALUES (1); UPDATE kept SET id = 2;
CREATE SEQUENCE numbers START WITH 5; SELECT NEXTVAL(numbers);
CREATE ROLE doctor; CREATE USER nurse IDENTIFIED BY 'x';
GRANT doctor TO nurse; GRANT SELECT ON clinic.* TO nurse;
