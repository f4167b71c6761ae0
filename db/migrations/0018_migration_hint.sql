-- What a host said at the end of its task, for the other host in the next one (where the files are, where the guest may come).
ALTER TABLE migration ADD COLUMN hint TEXT NOT NULL DEFAULT '{}'; -- JSON object
