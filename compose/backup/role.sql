-- The role of the backup job. Run as a superuser in Supercheck's database:
--   BACKUP_PASSWORD=... psql -v ON_ERROR_STOP=1 -f role.sql "$DATABASE_URL"
-- Whoever may back a server up may read all of it: keep its password as you keep the superuser's.

\getenv password BACKUP_PASSWORD
SELECT 'CREATE ROLE supercheck_backup LOGIN REPLICATION' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'supercheck_backup') \gexec
ALTER ROLE supercheck_backup REPLICATION PASSWORD :'password' CONNECTION LIMIT 5;
-- the restore test counts rows
GRANT pg_read_all_data TO supercheck_backup;
-- each incremental backup ends the segment of the log that is being written
GRANT EXECUTE ON FUNCTION pg_switch_wal() TO supercheck_backup;
-- the server keeps its log for the job: not more than this, whatever happens to the job
SELECT 'ALTER SYSTEM SET max_slot_wal_keep_size = ''4GB'''
WHERE current_setting('max_slot_wal_keep_size') = '-1' \gexec
SELECT pg_reload_conf();
