# Prints all that a server holds, as its own clients see it: nothing here knows
# how stayput compares. Once with "large": rows as checksums.
set -u
client='mariadb --default-character-set=utf8mb4 -N -B --force'
outside="('information_schema','performance_schema','mysql','sys')"

echo '== accounts'
$client mysql <<'SQL'
SELECT User, Host, Priv FROM global_priv ORDER BY 1, 2;
SELECT * FROM db ORDER BY Db, User, Host;
SELECT * FROM roles_mapping ORDER BY 1, 2, 3;
SELECT Host, Db, User, Table_name, Grantor, Table_priv, Column_priv FROM tables_priv ORDER BY 1, 2, 3, 4;
SELECT Host, Db, User, Table_name, Column_name, Column_priv FROM columns_priv ORDER BY 1, 2, 3, 4, 5;
SELECT Host, Db, User, Routine_name, Routine_type, Grantor, Proc_priv FROM procs_priv ORDER BY 1, 2, 3, 4, 5;
SELECT Host, User, Proxied_host, Proxied_user, With_grant, Grantor FROM proxies_priv ORDER BY 1, 2, 3, 4;
SQL
echo '== tables of the server'
$client mysql <<'SQL'
SELECT * FROM servers ORDER BY 1;
SELECT name, ret, dl, type FROM func ORDER BY 1;
SELECT name, dl FROM plugin ORDER BY 1;
SELECT * FROM table_stats ORDER BY 1, 2;
SELECT * FROM column_stats ORDER BY 1, 2, 3;
SELECT * FROM index_stats ORDER BY 1, 2, 3, 4;
SELECT COUNT(*) FROM time_zone_name;
SELECT * FROM gtid_slave_pos ORDER BY 1, 2;
SQL
echo '== programs'
$client <<'SQL'
SELECT db, name, type, definer, security_type, is_deterministic, sql_data_access, sql_mode, comment,
    character_set_client, collation_connection, db_collation, aggregate, param_list, returns, HEX(body)
    FROM mysql.proc WHERE db <> 'sys' ORDER BY 1, 2, 3;
SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, TIME_ZONE, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE,
    INTERVAL_FIELD, SQL_MODE, STARTS, ENDS, STATUS, ON_COMPLETION, EVENT_COMMENT,
    CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION, HEX(EVENT_DEFINITION)
    FROM information_schema.EVENTS ORDER BY 1, 2;
SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER,
    ACTION_TIMING, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT, COLLATION_CONNECTION,
    DATABASE_COLLATION, HEX(ACTION_STATEMENT)
    FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA <> 'sys' ORDER BY 1, 2;
SELECT TABLE_SCHEMA, TABLE_NAME, CHECK_OPTION, IS_UPDATABLE, DEFINER, SECURITY_TYPE,
    CHARACTER_SET_CLIENT, COLLATION_CONNECTION, ALGORITHM, HEX(VIEW_DEFINITION)
    FROM information_schema.VIEWS WHERE TABLE_SCHEMA <> 'sys' ORDER BY 1, 2;
SQL

tables="FROM information_schema.TABLES t WHERE TABLE_SCHEMA NOT IN $outside
    AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
quoted="CONCAT('\`', REPLACE(t.TABLE_SCHEMA, '\`', '\`\`'), '\`.\`', REPLACE(t.TABLE_NAME, '\`', '\`\`'), '\`')"
if [ "${1-}" = large ]; then
    echo '== checksums'
    $client --raw -e "SELECT CONCAT('SHOW CREATE TABLE ', $quoted, ';') $tables ORDER BY 1" | $client
    $client --raw -e "SELECT CONCAT('CHECKSUM TABLE ', $quoted, ' EXTENDED;') $tables ORDER BY 1" | $client
    exit
fi
# In its dumps a FLOAT has six digits, and an ENUM's error value is ''.
echo '== exact values'
$client --raw -e "SELECT CONCAT('SELECT ', QUOTE(CONCAT(t.TABLE_SCHEMA, '.', t.TABLE_NAME, '.', COLUMN_NAME)),
    ', ', IF(DATA_TYPE IN ('float', 'double', 'enum', 'set'), CONCAT(c, ' + 0e0'), CONCAT('HEX(', c, ')')),
    ' FROM ', q, IF(TABLE_TYPE = 'SYSTEM VERSIONED', ' FOR SYSTEM_TIME ALL', ''), ' ORDER BY 2;')
    FROM (SELECT t.TABLE_SCHEMA, t.TABLE_NAME, TABLE_TYPE, COLUMN_NAME, DATA_TYPE, $quoted AS q,
        CONCAT('\`', REPLACE(COLUMN_NAME, '\`', '\`\`'), '\`') AS c
        FROM information_schema.TABLES t JOIN information_schema.COLUMNS USING (TABLE_SCHEMA, TABLE_NAME)
        WHERE t.TABLE_SCHEMA NOT IN $outside AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
        AND DATA_TYPE IN ('float', 'double', 'enum', 'set', 'geometry', 'point', 'linestring',
            'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection', 'vector')) t
    ORDER BY 1" | $client
$client --raw -e "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA
    WHERE SCHEMA_NAME NOT IN $outside ORDER BY 1" | while IFS= read -r name; do
    echo "== dump of $name"
    mariadb-dump --default-character-set=utf8mb4 --force --hex-blob --order-by-primary \
        --skip-extended-insert --skip-comments --skip-add-locks --skip-lock-tables \
        --routines --events --triggers --dump-history --databases "$name" </dev/null 2>&1
done
true
